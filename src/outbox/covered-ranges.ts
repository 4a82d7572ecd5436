import type { RowRange } from "../core/types.ts";
import type { State } from "./state.ts";

/** Rows beyond the cursor that are delivered already, as a rebuild found, in order: they are not read again. */
export function readCoveredRanges(db: State["db"], sourceId: number): RowRange[] {
  return db
    .prepare(
      `SELECT first_rowid AS first, last_rowid AS last FROM covered_ranges
       WHERE source_id = ? ORDER BY last_rowid`,
    )
    .safeIntegers()
    .all(sourceId) as RowRange[];
}

/** @param ranges in order, without a row in common */
export function addCoveredRanges(db: State["db"], sourceId: number, ranges: readonly RowRange[]): void {
  const insert = db.prepare(
    "INSERT INTO covered_ranges (source_id, first_rowid, last_rowid) VALUES (?, ?, ?)",
  );
  for (const { first, last } of ranges) insert.run(sourceId, first, last);
}

/** Forgets the ranges up to `through`, or all of them. */
export function forgetCoveredRanges(
  db: State["db"],
  sourceId: number,
  { through }: { readonly through: bigint | null },
): void {
  db.prepare(
    "DELETE FROM covered_ranges WHERE source_id = @sourceId AND (@through IS NULL OR last_rowid <= @through)",
  ).run({ sourceId, through });
}
