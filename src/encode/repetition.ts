import type { ColumnData } from "./column-batch.ts";

/** So many rows show how the values of more are. */
export const ROWS_THAT_SHOW = 4_096;

/** Fewer values than these, of a column that is null in most rows, or of rows that are large, do not. */
const VALUES_THAT_SHOW = 256;

/** The largest share of distinct values with which a dictionary makes a column smaller and is worth its time. */
const LARGEST_DISTINCT_SHARE = 0.6;

/**
 * The same where the rows are only the first of more. A dictionary grows more slowly than the rows: nine distinct
 * values in ten among 4,096 are drawn from about 20,000, which fit in a dictionary (1 MiB, or 131,072 numbers).
 */
const LARGEST_DISTINCT_SHARE_OF_FIRST = 0.9;

/** `unknown` where there are too few values to tell. */
export type Repetition = "repeats" | "differs" | "unknown";

/** Rows of one column. */
export interface ColumnPart {
  readonly column: ColumnData;
  readonly rows: number;
}

/**
 * Whether the values of a column repeat so much that Parquet should keep them in a dictionary. That is seen from
 * the values of an object's first rows, not from names: the readings of a sensor that rounds repeat, those of one
 * that does not do not.
 *
 * @param parts those rows
 * @param areAll whether the object has no others
 */
export function repetitionOf(parts: readonly ColumnPart[], areAll: boolean): Repetition {
  const present = parts.reduce((sum, part) => sum + part.rows - part.column.nullCount, 0);
  if (present === 0 || (!areAll && present < VALUES_THAT_SHOW)) return "unknown";
  const most = present * (areAll ? LARGEST_DISTINCT_SHARE : LARGEST_DISTINCT_SHARE_OF_FIRST);
  const distinct = new Set<unknown>();
  for (const { column, rows } of parts)
    for (let row = 0; row < rows; row++) {
      if (isNull(column, row)) continue;
      distinct.add(valueAt(column, row));
      if (distinct.size > most) return "differs";
    }
  return "repeats";
}

function isNull({ validity }: ColumnData, row: number): boolean {
  return validity !== null && ((validity[row >> 3] as number) & (1 << (row & 7))) === 0;
}

function valueAt({ values, offsets }: ColumnData, row: number): unknown {
  if (offsets === null) return values[row];
  const bytes = values as Uint8Array;
  const [start, end] = [offsets[row] as number, offsets[row + 1] as number];
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}
