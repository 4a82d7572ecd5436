import type { ReadOutcome, ReadRequest, RowsRead, SourceReader } from "./read.ts";

/** What the reads of an extraction, or those that are left of it, begin with. */
export type ReadsStart = ReadRequest;

/** How reads are made one after another; they may run ahead of whoever takes them. */
export type FollowReads = (table: string, start: ReadsStart) => AsyncIterable<ReadOutcome>;

/**
 * Reads, each of which begins where the one before it ended, up to the first that has no rows or has the last ones, or
 * to the most rows that are wanted.
 */
export function* readOn(reader: SourceReader, start: ReadsStart): Generator<ReadOutcome, void> {
  while (start.maxRows > 0) {
    const outcome = reader.read(start);
    yield outcome;
    if (outcome.kind !== "rows" || outcome.isLast) return;
    start = startBehind(start, outcome);
  }
}

/** Where the read behind this one begins. */
export function startBehind(
  start: ReadsStart,
  { context, footing, position, sourceRows }: RowsRead,
): ReadsStart {
  // Of this extraction the last position will do, in front of those that the state remembers.
  const before = start.context === null ? start.positions : start.positions.slice(1);
  return {
    ...start,
    cursor: position.rowid,
    positions: [position, ...before],
    footing,
    context,
    maxRows: start.maxRows - sourceRows,
  };
}
