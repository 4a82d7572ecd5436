import type { SourceSchema } from "../core/types.ts";
import type { Connection } from "../sqlite/open.ts";
import type { SourceHazard } from "./hazards.ts";
import { type CountedRange, countRowsWithin } from "./range.ts";

/** Rows that are watched; counting them takes less than a millisecond. */
const MOST_ROWS = 8_192;

export const LARGEST_ROWID = 2n ** 63n - 1n;

/** Watches the rows last read for others that come to be among them. */
export interface BehindWatch {
  /** What has happened since the last look; to be called once for each extraction. */
  look(db: Connection, schema: SourceSchema, cursor: bigint | null): SourceHazard | null;
  /** Takes the rows that were just read among those that are watched. */
  noteRead(schema: SourceSchema, range: CountedRange): SourceHazard | null;
}

/**
 * The cursor sees what lies above it alone. A program that gives rowids itself, from a clock or from several
 * counters, may write one below, most likely just below; there the rows are counted again. One that is deleted
 * between two looks hides one that is inserted, and what lies further back is not looked at.
 */
export function createBehindWatch(): BehindWatch {
  let watched: CountedRange | null = null;
  let isExhausted = false;

  function lookAtLargest(schema: SourceSchema, cursor: bigint | null): SourceHazard | null {
    if (cursor !== LARGEST_ROWID || schema.autoincrement || isExhausted) return null;
    isExhausted = true;
    return { kind: "exhausted" };
  }

  return {
    look(db, schema, cursor) {
      const exhausted = lookAtLargest(schema, cursor);
      if (exhausted) return exhausted;
      // Beyond the cursor the rows are those of an extraction that failed, and are read again.
      if (watched === null || cursor === null || watched.last > cursor) return null;
      const { first, last, rows: before } = watched;
      const rows = countRowsWithin(db, schema, { first, last });
      watched = { first, last, rows };
      return rows > before ? { kind: "behind", rows: rows - before, first, last } : null;
    },
    noteRead(schema, range) {
      const isNext = watched !== null && range.first > watched.last;
      const rows = range.rows + (watched?.rows ?? 0);
      watched =
        watched && isNext && rows <= MOST_ROWS ? { first: watched.first, last: range.last, rows } : range;
      return lookAtLargest(schema, range.last);
    },
  };
}
