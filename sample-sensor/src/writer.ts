import { setImmediate } from "node:timers/promises";
import type { Clock, Sleep } from "../../src/core/clock.ts";
import { UploaderError } from "../../src/core/errors.ts";
import type { Logger } from "./logger.ts";
import type { ReadingsTable } from "./readings-table.ts";
import type { Reading } from "./sensor.ts";

/** What backfill and live readings are written with. */
export interface WriteContext {
  readonly table: ReadingsTable;
  readonly clock: Clock;
  readonly sleep: Sleep;
  readonly logger: Logger;
  /** Aborted when the process is asked to stop. */
  readonly signal: AbortSignal;
}

const RETRY_MS = 250;

/** What is left for a held write after the signal to stop, within the ten seconds that Docker allows. */
const STOP_GRACE_MS = 8_000;

/**
 * Writes readings in one transaction. They are held and tried again while the database is busy or the disk
 * is full; `onWait` is called before each new try. Control returns to the event loop after each try, so
 * that signals are heard.
 *
 * @throws {UploaderError} SOURCE_LOCKED or SOURCE_UNREADABLE where that still lasts at the end of a stop
 */
export async function writeReadings(
  { table, clock, sleep, logger, signal }: WriteContext,
  readings: readonly Reading[],
  onWait: () => void = () => {},
): Promise<void> {
  if (readings.length === 0) return;
  let heldSinceMs: number | null = null;
  let stopSinceMs: number | null = null;
  for (;;) {
    const result = table.insert(readings);
    await setImmediate();
    if (result === "written") {
      if (heldSinceMs !== null)
        logger.info(
          { rows: readings.length, durationMs: clock.now() - heldSinceMs },
          "held readings written",
        );
      return;
    }
    if (heldSinceMs === null) {
      heldSinceMs = clock.now();
      const rows = readings.length;
      if (result === "busy") logger.warn({ rows }, "the database is busy; readings are held");
      else logger.error({ rows }, "the disk is full; readings are held until there is space: free some");
    }
    if (signal.aborted) {
      stopSinceMs ??= clock.now();
      if (clock.now() - stopSinceMs >= STOP_GRACE_MS) throw describeLoss(result, readings.length);
    }
    await (signal.aborted ? sleep(RETRY_MS) : sleep(RETRY_MS, signal));
    onWait();
  }
}

function describeLoss(result: "busy" | "full", rows: number): UploaderError {
  return result === "busy"
    ? new UploaderError({
        code: "SOURCE_LOCKED",
        message: `The database stayed locked during the stop, and ${rows} readings were not written.`,
        hint: "Find the process that holds it with `lsof` on the file.",
      })
    : new UploaderError({
        code: "SOURCE_UNREADABLE",
        message: `The disk stayed full during the stop, and ${rows} readings were not written.`,
        hint: "Free some space on the disk of the database.",
      });
}
