import type { Clock, Sleep } from "./core/clock.ts";

/** How often the conditions are looked at; each look costs microseconds. */
const POLL_MS = 250;

export interface WaitOptions {
  readonly clock: Clock;
  readonly sleep: Sleep;
  readonly signal: AbortSignal;
}

/** Waits until the time is over or, before that, `isOver` says so or the signal is aborted. */
export async function waitFor(
  milliseconds: number,
  isOver: () => boolean,
  { clock, sleep, signal }: WaitOptions,
): Promise<void> {
  const until = clock.now() + milliseconds;
  while (!signal.aborted && !isOver()) {
    const left = until - clock.now();
    if (left <= 0 || left > milliseconds) return; // over, or the clock was set back
    await sleep(Math.min(POLL_MS, left), signal);
  }
}
