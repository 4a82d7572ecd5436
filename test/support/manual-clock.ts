import type { Clock, Sleep } from "../../src/core/clock.ts";

/** A clock that stands still until the test moves it, and the waits that follow it. */
export interface ManualClock extends Clock {
  readonly sleep: Sleep;
  /** Moves on, and ends the waits that are over then. */
  advance(milliseconds: number): void;
  /** How many wait for it. */
  waits(): number;
}

export function createManualClock(start: number): ManualClock {
  let now = start;
  const waits = new Map<() => void, number>();
  return {
    now: () => now,
    waits: () => waits.size,
    sleep: (milliseconds, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted || milliseconds <= 0) return resolve();
        const end = () => {
          waits.delete(end);
          signal?.removeEventListener("abort", end);
          resolve();
        };
        waits.set(end, now + milliseconds);
        signal?.addEventListener("abort", end, { once: true });
      }),
    advance(milliseconds) {
      now += milliseconds;
      for (const [end, at] of [...waits]) if (at <= now) end();
    },
  };
}
