import type { ColumnData } from "./column-batch.ts";

/** The largest share of distinct values with which a dictionary makes a column smaller and is worth its time. */
const LARGEST_DISTINCT_SHARE = 0.6;

/**
 * Whether the values of a column repeat so much that Parquet should keep them in a dictionary. That is seen from
 * the values of an object's first rows, not from names: the readings of a sensor that rounds repeat, those of one
 * that does not do not.
 */
export function repeats(column: ColumnData, rows: number): boolean {
  if (column.type === "boolean") return false;
  const present = rows - column.nullCount;
  const most = present * LARGEST_DISTINCT_SHARE;
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
