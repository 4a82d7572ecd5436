import type { ColumnType } from "../core/types.ts";

/**
 * One column of a batch as Arrow's buffers (https://arrow.apache.org/docs/format/Columnar.html), so that
 * it becomes Arrow without a copy. All are little-endian, as every platform of Node.js is.
 */
export interface ColumnData {
  readonly type: ColumnType;
  readonly nullCount: number;
  /** One bit a row, least significant first, 1 where there is a value; null where no row is null. */
  readonly validity: Uint8Array | null;
  /**
   * int64 and timestamp: BigInt64Array; double: Float64Array; boolean: one bit a row; string and binary:
   * the bytes of all rows one after another.
   */
  readonly values: BigInt64Array | Float64Array | Uint8Array;
  /** string and binary only: where each row's bytes begin, and the end of the last. */
  readonly offsets: Int32Array | null;
}

/** Some rows, column by column. */
export interface ColumnBatch {
  readonly rows: number;
  readonly columns: readonly ColumnData[];
}

/** Name and type of a column in the Parquet file. */
export interface ColumnSpec {
  readonly name: string;
  readonly type: ColumnType;
}

/** The bytes that a batch takes in memory. */
export function batchBytes({ columns }: ColumnBatch): number {
  const parts = columns.flatMap(({ values, validity, offsets }) => [values, validity, offsets]);
  return parts.reduce((sum, part) => sum + (part?.byteLength ?? 0), 0);
}
