import { Compression, EnabledStatistics, type WriterProperties, WriterPropertiesBuilder } from "parquet-wasm";
import type { ColumnBatch, ColumnData, ColumnSpec } from "./column-batch.ts";
import { repetitionOf } from "./repetition.ts";

export type ParquetCompression = "snappy" | "zstd" | "gzip" | "none";

/** How a column is encoded. */
export interface ColumnEncoding {
  readonly name: string;
  /** Whether its values are kept in a dictionary, as long as that has room for them. */
  readonly dictionary: boolean;
  /** Whether its chunks say their minimum and maximum, by which readers pass over them. */
  readonly statistics: boolean;
}

export interface EncodingOptions {
  readonly compression: ParquetCompression;
  /** Key-value metadata of the footer. */
  readonly footer: Readonly<Record<string, string>>;
  readonly encodings: readonly ColumnEncoding[];
}

/**
 * Row groups end at whichever comes first, so that memory stays flat however long or wide the rows are. The encoder
 * holds a group compressed; the more rows it has, the fewer times a dictionary is written.
 */
const ROW_GROUP_ROWS = 262_144;
const ROW_GROUP_BYTES = 32 * 1024 * 1024;

const COMPRESSION: Record<ParquetCompression, Compression> = {
  snappy: Compression.SNAPPY,
  zstd: Compression.ZSTD,
  gzip: Compression.GZIP,
  none: Compression.UNCOMPRESSED,
};

/**
 * Chooses by the values of an object's first batches, or of all that it has. Text that repeats is spread over all of an
 * object, so that its minimum and maximum would let nobody pass over anything. What is not known gets both, as Parquet
 * has it: a dictionary that grows too large ends by itself.
 */
export function chooseEncodings(
  columns: readonly ColumnSpec[],
  batches: readonly ColumnBatch[],
  areAll: boolean,
): ColumnEncoding[] {
  return columns.map(({ name, type }, index) => {
    if (type === "boolean") return { name, dictionary: false, statistics: true };
    const parts = batches.map((batch) => ({ column: batch.columns[index] as ColumnData, rows: batch.rows }));
    const repetition = repetitionOf(parts, areAll);
    return {
      name,
      dictionary: repetition !== "differs",
      statistics: !(repetition === "repeats" && type === "string"),
    };
  });
}

/** The encoder takes them, so that each use needs new ones. */
export function writerProperties({ compression, footer, encodings }: EncodingOptions): WriterProperties {
  let builder = new WriterPropertiesBuilder()
    .setCompression(COMPRESSION[compression])
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setMaxRowGroupSize(ROW_GROUP_ROWS)
    .setMaxRowGroupBytes(ROW_GROUP_BYTES)
    .setKeyValueMetadata(new Map(Object.entries(footer)));
  for (const { name, dictionary, statistics } of encodings) {
    if (!dictionary) builder = builder.setColumnDictionaryEnabled(name, false);
    if (!statistics) builder = builder.setColumnStatisticsEnabled(name, EnabledStatistics.None);
  }
  return builder.build();
}
