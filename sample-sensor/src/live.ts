import type { Fleet } from "./fleet.ts";
import type { Settings } from "./settings-schema.ts";
import { type WriteContext, writeReadings } from "./writer.ts";

const ROWS_PER_TRANSACTION = 10_000;
const ROWS_PER_DELETE = 10_000;

/** A clock that leaps further than this was set, or the machine slept: nothing was read meanwhile. */
const LEAP_FORWARD_MS = 60_000;
const LEAP_BACK_MS = 1_000;

/** A backlog that says the machine cannot keep up with the rate. */
const BEHIND_SECONDS = 10;

/**
 * Takes readings as they fall due and writes them once per commit interval, until the run time is over or a
 * stop is asked for. Readings are numbered from the fleet's start, so a wait for the database delays them
 * and loses none. A stop writes what is in hand.
 *
 * @returns the number of rows written
 */
export async function runLive(context: WriteContext, fleet: Fleet, settings: Settings): Promise<number> {
  const { table, clock, sleep, logger, signal } = context;
  const { readingsPerSecond, runTimeSeconds } = settings.simulation;
  const commitIntervalMs = settings.database.commitIntervalSeconds * 1000;
  const checkpointIntervalMs = settings.database.checkpointIntervalSeconds * 1000;
  const takenBefore = fleet.taken;
  const last =
    runTimeSeconds === null
      ? Number.POSITIVE_INFINITY
      : takenBefore + Math.round(runTimeSeconds * readingsPerSecond);
  let seenMs = clock.now();
  let maintainedMs = Number.NEGATIVE_INFINITY;
  let anomalies = 0;

  function noticeLeap(): void {
    const nowMs = clock.now();
    const leapMs = nowMs - seenMs;
    seenMs = nowMs;
    if (leapMs <= LEAP_FORWARD_MS + commitIntervalMs && leapMs >= -LEAP_BACK_MS) return;
    fleet.shift(leapMs);
    maintainedMs = Number.NEGATIVE_INFINITY;
    logger.warn({ durationMs: leapMs }, "the clock leapt; readings go on at the new time");
  }

  async function writeDue(): Promise<void> {
    for (;;) {
      noticeLeap();
      const due = Math.min(last, fleet.dueBy(clock.now())) - fleet.taken;
      if (due <= 0) return;
      const readings = fleet.take(Math.min(due, ROWS_PER_TRANSACTION));
      await writeReadings(context, readings, noticeLeap);
      anomalies += readings.filter(({ anomalyType }) => anomalyType !== null).length;
      if (signal.aborted) return;
    }
  }

  async function maintain(): Promise<void> {
    maintainedMs = clock.now();
    const { retentionHours } = settings.database;
    let deleted = 0;
    if (retentionHours !== null) deleted = await deleteOld(context, retentionHours);
    const checkpointed = table.checkpoint();
    const rows = fleet.taken - takenBefore;
    if (rows + deleted > 0) logger.info({ rows, anomalies, deleted, checkpointed }, "readings written");
    const behind = Math.min(last, fleet.dueBy(clock.now())) - fleet.taken;
    if (behind > BEHIND_SECONDS * readingsPerSecond)
      logger.warn({ rows: behind }, "readings come late: this machine cannot keep up with the rate");
  }

  while (!signal.aborted) {
    await writeDue();
    if (fleet.taken >= last) break;
    if (clock.now() - maintainedMs >= checkpointIntervalMs) await maintain();
    await sleep(commitIntervalMs, signal);
  }
  if (fleet.taken < last) await writeDue();
  table.checkpoint();
  return fleet.taken - takenBefore;
}

/** Deletes in small transactions, so that neither readings nor other writers wait long. */
async function deleteOld({ table, clock, sleep, signal }: WriteContext, hours: number): Promise<number> {
  const oldestMs = clock.now() - hours * 3_600_000;
  let deleted = 0;
  for (;;) {
    const rows = table.deleteOlderThan(oldestMs, ROWS_PER_DELETE);
    deleted += rows;
    if (rows < ROWS_PER_DELETE || signal.aborted) return deleted;
    await sleep(0);
  }
}
