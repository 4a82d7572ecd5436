import type { Clock } from "../../src/core/clock.ts";

export interface Progress {
  update(rows: number): void;
  /** Clears the line. */
  end(): void;
}

/** A line on a terminal that says how far a backfill is; nothing where there is no terminal. */
export function createProgress(
  stream: { readonly isTTY?: boolean; write(text: string): unknown },
  clock: Clock,
  total: number,
): Progress {
  if (!stream.isTTY) return { update: () => {}, end: () => {} };
  const startMs = clock.now();
  const format = new Intl.NumberFormat("en-US");
  return {
    update(rows) {
      const perSecond = (rows / Math.max(1, clock.now() - startMs)) * 1000;
      const part = Math.floor((100 * rows) / total);
      const text = `${format.format(rows)} of ${format.format(total)} rows (${part} %)`;
      stream.write(`\r\x1b[K${text}, ${format.format(Math.round(perSecond))} rows/s`);
    },
    end: () => void stream.write("\r\x1b[K"),
  };
}
