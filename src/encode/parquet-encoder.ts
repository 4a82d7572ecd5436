import type { ColumnBatch, ColumnSpec } from "./column-batch.ts";
import type { ColumnEncoding } from "./encodings.ts";

export type ParquetCompression = "snappy" | "zstd" | "gzip" | "none";

/** Turns batches into the bytes of a Parquet file, row group by row group. */
export interface ParquetEncoder {
  /** What the rows that are not written yet will take, estimated; in bytes. */
  readonly pendingBytes: number;
  /** Takes a batch; resolves when the row groups that it has ended are written. */
  append(batch: ColumnBatch): Promise<void>;
  /** Writes what is left, and the footer. */
  end(): Promise<void>;
  /** Gives the file up. */
  abort(): Promise<void>;
}

export interface ParquetEncoderOptions {
  readonly columns: readonly ColumnSpec[];
  /** Of the columns, in order. */
  readonly encodings: readonly ColumnEncoding[];
  readonly compression: ParquetCompression;
  /** Key-value metadata of the footer. */
  readonly footer: Readonly<Record<string, string>>;
  /** Takes the bytes of the file, piece by piece, each when the one before it is written. A piece is gone then: whoever keeps it copies it. */
  readonly write: (chunk: Uint8Array) => Promise<void>;
}

/**
 * Row groups end at whichever comes first, so that memory stays flat however long or wide the rows are. The encoder
 * holds a group compressed; the more rows it has, the fewer times a dictionary is written.
 */
export const ROW_GROUP_ROWS = 262_144;
export const ROW_GROUP_BYTES = 32 * 1024 * 1024;
