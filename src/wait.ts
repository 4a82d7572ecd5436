import type { Clock, Sleep } from "./core/clock.ts";
import type { Revision } from "./core/types.ts";
import type { Revisions } from "./revisions.ts";
import type { Connection } from "./sqlite/open.ts";

/** How often `PRAGMA data_version`, which costs microseconds, is asked whether another process has committed. */
const POLL_MS = 250;

export interface WaitOptions {
  /** The connection that `revisions` reads from. */
  readonly db: Connection;
  readonly revisions: Revisions;
  readonly clock: Clock;
  readonly sleep: Sleep;
  readonly signal: AbortSignal;
}

/** Waits between cycles. */
export interface CycleWait {
  /**
   * Resolves when the interval is over, or before that when another revision is in effect, when `isWanted`
   * says so, or when the signal is aborted.
   */
  wait(since: Revision, intervalMs: number, isWanted: () => boolean): Promise<void>;
}

export function createCycleWait({ db, revisions, clock, sleep, signal }: WaitOptions): CycleWait {
  const dataVersion = db.prepare("PRAGMA main.data_version").pluck();
  let seen = dataVersion.get();

  function hasAnotherRevision(since: Revision): boolean {
    const version = dataVersion.get();
    const hasExpired = revisions.nextExpiryMs !== null && revisions.nextExpiryMs <= clock.now();
    if (version === seen && !hasExpired) return false;
    seen = version;
    const now = revisions.read();
    return now.id !== since.id || now.type !== since.type;
  }

  return {
    async wait(since, intervalMs, isWanted) {
      const until = clock.now() + intervalMs;
      while (!signal.aborted && !isWanted() && !hasAnotherRevision(since)) {
        const left = until - clock.now();
        if (left <= 0 || left > intervalMs) return; // over, or the clock was set back
        await sleep(Math.min(POLL_MS, left), signal);
      }
    },
  };
}
