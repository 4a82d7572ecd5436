import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import {
  Compression,
  EnabledStatistics,
  type RecordBatch,
  Table,
  transformParquetStream,
  WriterPropertiesBuilder,
} from "parquet-wasm";
import { arrowSchema, encodeIpc } from "./arrow.ts";
import type { ColumnBatch, ColumnSpec } from "./column-batch.ts";

export type ParquetCompression = "snappy" | "zstd" | "gzip" | "none";

export interface ObjectWriterOptions {
  /** Where the file is made; it must not exist. */
  readonly path: string;
  readonly columns: readonly ColumnSpec[];
  readonly compression: ParquetCompression;
  /** Key-value metadata of the Parquet footer: what is known before the first row. */
  readonly footer: Readonly<Record<string, string>>;
}

/** A Parquet file in the making. */
export interface ObjectWriter {
  readonly rows: number;
  /** Encoded bytes, those of the row group in the making estimated from the groups before it. */
  readonly estimatedBytes: number;
  /** Takes a batch; resolves when the encoder is ready for the next one. */
  append(batch: ColumnBatch): Promise<void>;
  /** Ends the file and syncs it to disk. */
  close(): Promise<FinishedObject>;
  /** Gives the file up and closes it; whoever named the path removes it. */
  abort(): Promise<void>;
}

export interface FinishedObject {
  readonly rows: number;
  readonly bytes: number;
  /** Lower-case hex of the whole file. */
  readonly sha256: string;
}

/** Row groups end at whichever comes first, so that memory stays flat however long or wide the rows are. */
const ROW_GROUP_ROWS = 32_768;
const ROW_GROUP_BYTES = 32 * 1024 * 1024;

const COMPRESSION: Record<ParquetCompression, Compression> = {
  snappy: Compression.SNAPPY,
  zstd: Compression.ZSTD,
  gzip: Compression.GZIP,
  none: Compression.UNCOMPRESSED,
};

/** Opens a Parquet file that is written row group by row group. Batches have the columns in order. */
export async function openObjectWriter(options: ObjectWriterOptions): Promise<ObjectWriter> {
  const schema = arrowSchema(options.columns);
  const file = await open(options.path, "wx", 0o600);
  const { readable, writable } = new TransformStream<RecordBatch, RecordBatch>();
  const batches = writable.getWriter();
  const hash = createHash("sha256");
  let rows = 0;
  let writtenBytes = 0;
  let pendingBytes = 0;
  /** Encoded bytes for each byte of IPC, from the row groups that are written. */
  let ratio = 1;
  let encodedIpcBytes = 0;

  const pump = copyToFile(readable, writerProperties(options), file, (chunk) => {
    hash.update(chunk);
    writtenBytes += chunk.byteLength;
    encodedIpcBytes += pendingBytes;
    pendingBytes = 0;
    if (encodedIpcBytes > 0) ratio = writtenBytes / encodedIpcBytes;
  });
  // A failure is met by whoever awaits the pump next; until then it is not unhandled.
  pump.catch(() => {});

  return {
    get rows() {
      return rows;
    },
    get estimatedBytes() {
      return writtenBytes + pendingBytes * ratio;
    },
    async append(batch) {
      if (batch.rows === 0) return;
      const ipc = encodeIpc(schema, batch);
      rows += batch.rows;
      pendingBytes += ipc.byteLength;
      for (const recordBatch of takeRecordBatches(ipc))
        await Promise.race([batches.write(recordBatch), pump]);
    },
    async close() {
      await batches.close();
      await pump;
      await file.sync();
      await file.close();
      return { rows, bytes: writtenBytes, sha256: hash.digest("hex") };
    },
    async abort() {
      await batches.abort().catch(() => {});
      await pump.catch(() => {});
      await file.close();
    },
  };
}

/** The memory of the wasm `Table` is freed at once; otherwise it grows with every batch of the object. */
function takeRecordBatches(ipc: Uint8Array): RecordBatch[] {
  const table = Table.fromIPCStream(ipc);
  try {
    return table.recordBatches();
  } finally {
    table.free();
  }
}

async function copyToFile(
  batches: ReadableStream<RecordBatch>,
  properties: ReturnType<typeof writerProperties>,
  file: FileHandle,
  onChunk: (chunk: Uint8Array) => void,
): Promise<void> {
  const parquet: ReadableStream<Uint8Array> = await transformParquetStream(batches, properties);
  for await (const chunk of parquet) {
    for (let offset = 0; offset < chunk.byteLength; ) {
      const { bytesWritten } = await file.write(chunk, offset);
      offset += bytesWritten;
    }
    onChunk(chunk);
  }
}

function writerProperties({ columns, compression, footer }: ObjectWriterOptions) {
  let builder = new WriterPropertiesBuilder()
    .setCompression(COMPRESSION[compression])
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setMaxRowGroupSize(ROW_GROUP_ROWS)
    .setMaxRowGroupBytes(ROW_GROUP_BYTES)
    .setKeyValueMetadata(new Map(Object.entries(footer)));
  for (const { name, type } of columns) {
    // A dictionary costs time and space where values hardly repeat.
    if (type === "double" || type === "timestamp" || name === "_rowid")
      builder = builder.setColumnDictionaryEnabled(name, false);
  }
  return builder.build();
}
