/** Shows how far long work has come. */
export interface Progress {
  /** About how many rows there are to extract. */
  begin(rows: number): void;
  extracted(rows: number): void;
  delivered(bytes: number): void;
  end(): void;
}

export const noProgress: Progress = { begin() {}, extracted() {}, delivered() {}, end() {} };

/** Work that is over sooner is not worth a bar. */
const SHOW_AFTER_MS = 2_000;
const REDRAW_EVERY_MS = 200;
const BAR_CELLS = 24;

/** A line on a terminal that is drawn anew in place, and only once the work has taken two seconds. */
export function createProgressBar(stream: NodeJS.WriteStream, now: () => number): Progress {
  const began = now();
  let drawnAt = began + SHOW_AFTER_MS - REDRAW_EVERY_MS;
  let isDrawn = false;
  let total = 0;
  let rows = 0;
  let bytes = 0;

  function draw(): void {
    if (now() - drawnAt < REDRAW_EVERY_MS || total === 0) return;
    drawnAt = now();
    isDrawn = true;
    const share = Math.min(1, rows / total);
    const bar = "█".repeat(Math.round(share * BAR_CELLS)).padEnd(BAR_CELLS, "░");
    const rate = Math.round(rows / ((drawnAt - began) / 1000));
    const line = `${bar} ${Math.round(share * 100)} %  ${rows.toLocaleString("en")} of about ${total.toLocaleString("en")} rows  ${rate.toLocaleString("en")} rows/s  ${(bytes / 1e6).toFixed(1)} MB delivered`;
    stream.write(`\r\u001b[2K${line.slice(0, Math.max(20, (stream.columns ?? 80) - 1))}`);
  }

  return {
    begin(estimate) {
      total = estimate;
    },
    extracted(more) {
      rows += more;
      draw();
    },
    delivered(more) {
      bytes += more;
      draw();
    },
    end() {
      if (isDrawn) stream.write("\r\u001b[2K");
      isDrawn = false;
    },
  };
}
