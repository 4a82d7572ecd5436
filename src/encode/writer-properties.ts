import { Compression, EnabledStatistics, type WriterProperties, WriterPropertiesBuilder } from "parquet-wasm";
import {
  type ParquetCompression,
  type ParquetEncoderOptions,
  ROW_GROUP_BYTES,
  ROW_GROUP_ROWS,
} from "./parquet-encoder.ts";

const COMPRESSION: Record<ParquetCompression, Compression> = {
  snappy: Compression.SNAPPY,
  zstd: Compression.ZSTD,
  gzip: Compression.GZIP,
  none: Compression.UNCOMPRESSED,
};

/** What parquet-wasm is told. It takes them, so that each use needs new ones. */
export function writerProperties({
  compression,
  footer,
  encodings,
}: Pick<ParquetEncoderOptions, "compression" | "footer" | "encodings">): WriterProperties {
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
