import type { Clock } from "../core/clock.ts";
import { type Monitor, noMonitor, type Shipping } from "./monitor.ts";

export interface Health extends Monitor {
  judge(): Judgement;
}

export interface Judgement {
  /** `stalled`: no sign of life for too long; `stopped`: every source is. */
  readonly status: "ok" | "stalled" | "stopped";
  /** The last sign of life, ISO 8601, UTC. */
  readonly aliveAt: string;
  /** A sentence for each thing that is wrong; none where the status is `ok`. */
  readonly reasons: readonly string[];
}

/**
 * How long the uploader may go without a sign of life: three cycles, and never less than a minute, which a large object
 * can take on a small machine.
 */
export function mostSilentMs(intervalSeconds: number): number {
  return Math.max(60_000, 3 * intervalSeconds * 1000);
}

/**
 * Judges whether the uploader is well: it is while it gives signs of life, which are the end of a cycle, of an extraction
 * within one and of a delivery, and not every source is stopped. A network that is gone is no illness: rows are
 * extracted all the same.
 */
export function createHealth({
  intervalSeconds,
  clock,
}: {
  readonly intervalSeconds: number;
  readonly clock: Clock;
}): Health {
  const mostMs = mostSilentMs(intervalSeconds);
  let aliveAt = clock.now();
  let shipping: Shipping | null = null;
  const alive = () => {
    aliveAt = clock.now();
  };

  function isEverySourceStopped(): boolean {
    const stopped = [...(shipping?.stopped().values() ?? [])];
    return stopped.length > 0 && stopped.every((isStopped) => isStopped);
  }

  return {
    ...noMonitor,
    started(started) {
      shipping = started;
      alive();
    },
    extracted: alive,
    cycleFinished: alive,
    delivered: alive,
    ended() {
      shipping = null;
    },
    judge() {
      const isStalled = clock.now() - aliveAt > mostMs;
      const isStopped = isEverySourceStopped();
      return {
        status: isStopped ? "stopped" : isStalled ? "stalled" : "ok",
        aliveAt: new Date(aliveAt).toISOString(),
        reasons: [
          ...(isStopped ? ["every source is stopped; the log says why"] : []),
          ...(isStalled ? [`no cycle, extraction or delivery has ended for ${mostMs / 1000} s`] : []),
        ],
      };
    },
  };
}
