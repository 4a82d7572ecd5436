import type { RowRange } from "../core/types.ts";
import type { State } from "./state.ts";

/** Rows beyond the cursor that are delivered already, as a rebuild found: they are not read again. */
export interface CoveredRanges {
  /** The first range that has rows behind the cursor (null: before the first row); null where there is none. */
  behind(cursor: bigint | null): RowRange | null;
}

export const NOTHING_COVERED: CoveredRanges = { behind: () => null };

export function openCoveredRanges(db: State["db"], sourceId: number): CoveredRanges {
  const statement = db
    .prepare(
      `SELECT first_rowid AS first, last_rowid AS last FROM covered_ranges
       WHERE source_id = @sourceId AND (@cursor IS NULL OR last_rowid > @cursor) ORDER BY last_rowid LIMIT 1`,
    )
    .safeIntegers();
  return {
    behind: (cursor) => (statement.get({ sourceId, cursor }) as RowRange | undefined) ?? null,
  };
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
