import type { Clock, Sleep } from "../../src/core/clock.ts";

/** A clock that jumps to the end of each wait, so that hours of waiting are over at once. */
export interface EagerClock extends Clock {
  readonly sleep: Sleep;
}

/** Longer ones are of what waits for others to wake it. */
const LONGEST_JUMP_MS = 60 * 60_000;

export function createEagerClock(start: number): EagerClock {
  let now = start;
  return {
    now: () => now,
    sleep: (milliseconds, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted || milliseconds <= 0) return resolve();
        signal?.addEventListener("abort", () => resolve(), { once: true });
        if (milliseconds > LONGEST_JUMP_MS) return;
        const end = now + milliseconds;
        setImmediate(() => {
          if (!signal?.aborted) now = Math.max(now, end);
          resolve();
        });
      }),
  };
}
