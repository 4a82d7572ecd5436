import type { ColumnData } from "./column-batch.ts";

/** The largest share of distinct values with which a dictionary makes a column smaller and is worth its time. */
const LARGEST_DISTINCT_SHARE = 0.6;

/**
 * The same where so many rows are only the first of more. A dictionary grows more slowly than the rows: nine distinct
 * values in ten among 4,096 are drawn from about 20,000, which fit in a dictionary (1 MiB, or 131,072 numbers).
 */
const LARGEST_DISTINCT_SHARE_OF_FIRST = 0.9;
const FIRST_OF_MORE_ROWS = 4_096;

/**
 * Whether the values of a column repeat so much that Parquet should keep them in a dictionary. That is seen from
 * the values of an object's first rows, not from names: the readings of a sensor that rounds repeat, those of one
 * that does not do not.
 */
export function repeats(column: ColumnData, rows: number): boolean {
  if (column.type === "boolean") return false;
  const present = rows - column.nullCount;
  const share = rows < FIRST_OF_MORE_ROWS ? LARGEST_DISTINCT_SHARE : LARGEST_DISTINCT_SHARE_OF_FIRST;
  const most = present * share;
  const distinct = new Set<unknown>();
  for (let row = 0; row < rows; row++) {
    if (isNull(column, row)) continue;
    distinct.add(valueAt(column, row));
    if (distinct.size > most && distinct.size > 1) return false;
  }
  return true;
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
