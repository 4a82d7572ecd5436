import type { Fleet } from "./fleet.ts";
import { type WriteContext, writeReadings } from "./writer.ts";

/** Large enough that the commit costs nothing, small enough for other writers to come between. */
const ROWS_PER_TRANSACTION = 10_000;

/** Checkpoints keep the WAL small for the readers that come next. */
const TRANSACTIONS_PER_CHECKPOINT = 10;

/**
 * Writes readings of the past, until they are all there or a stop is asked for.
 *
 * @returns the number of rows written
 */
export async function runBackfill(
  context: WriteContext,
  fleet: Fleet,
  rows: number,
  onProgress: (rows: number) => void,
): Promise<number> {
  let written = 0;
  for (let batch = 1; written < rows && !context.signal.aborted; batch++) {
    const readings = fleet.take(Math.min(ROWS_PER_TRANSACTION, rows - written));
    await writeReadings(context, readings);
    written += readings.length;
    if (batch % TRANSACTIONS_PER_CHECKPOINT === 0) context.table.checkpoint();
    onProgress(written);
  }
  context.table.checkpoint();
  return written;
}
