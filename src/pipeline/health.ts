/** Something an operator should look at; `code` is stable, `message` is for people. */
export interface HealthHint {
  readonly code: "STALE" | "STUCK" | "FAILING";
  readonly message: string;
}

export interface DeliveryFigures {
  /** When the extraction of the oldest object began that is not delivered; ISO 8601, as `lastDelivered`. */
  readonly oldestWaiting: string | null;
  /** Objects that have waited longer than {@link STUCK_MS}. */
  readonly stuckObjects: number;
  readonly lastDelivered: string | null;
  /** How the newest tries ended, at most {@link RECENT_TRIES}. */
  readonly lastTries: readonly string[];
}

const MINUTE_MS = 60_000;
const STALE_MS = 30 * MINUTE_MS;
export const STUCK_MS = 10 * MINUTE_MS;
export const RECENT_TRIES = 5;
const FAILING_TRIES = 3;

/**
 * STALE: something has waited for 30 minutes, in which nothing at all was delivered. STUCK: an object has waited
 * for 10 minutes, whatever else was delivered. FAILING: 3 of the last 5 tries failed. A quiet sensor, for which
 * nothing waits, is none of them.
 */
export function healthHints(figures: DeliveryFigures, now: number): HealthHint[] {
  const { oldestWaiting, lastDelivered, stuckObjects, lastTries } = figures;
  const hints: HealthHint[] = [];
  const isOld = (time: string) => now - Date.parse(time) > STALE_MS;
  if (oldestWaiting !== null && isOld(oldestWaiting) && (lastDelivered === null || isOld(lastDelivered)))
    hints.push({
      code: "STALE",
      message:
        "Nothing has been delivered for 30 minutes while objects wait. See whether the uploader runs and reaches its destination.",
    });
  if (stuckObjects > 0)
    hints.push({
      code: "STUCK",
      message: `${stuckObjects === 1 ? "One object has" : `${stuckObjects} objects have`} waited for more than 10 minutes, the oldest since ${oldestWaiting}.`,
    });
  const failures = lastTries.filter((status) => status === "failed").length;
  if (failures >= FAILING_TRIES)
    hints.push({
      code: "FAILING",
      message: `${failures} of the last ${lastTries.length} objects that were tried failed. The last error says why.`,
    });
  return hints;
}
