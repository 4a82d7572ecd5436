import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import {
  Compression,
  EnabledStatistics,
  type RecordBatch,
  Table,
  transformParquetStream,
  WriterPropertiesBuilder,
} from "parquet-wasm";
import { failpoint } from "../core/failpoints.ts";
import { arrowSchema, encodeIpc } from "./arrow.ts";
import type { ColumnBatch, ColumnSpec } from "./column-batch.ts";
import { repeats } from "./repetition.ts";

export type ParquetCompression = "snappy" | "zstd" | "gzip" | "none";

export interface ObjectWriterOptions {
  /** Where the file is made; it must not exist. */
  readonly path: string;
  /** How the file is made; tests record what is asked of it. */
  readonly createFile?: CreateFile | undefined;
  readonly columns: readonly ColumnSpec[];
  readonly compression: ParquetCompression;
  /** Key-value metadata of the Parquet footer: what is known before the first row. */
  readonly footer: Readonly<Record<string, string>>;
}

/** What the writer asks of its file; a `FileHandle` is one. */
export interface ObjectFile {
  write(chunk: Uint8Array, offset: number): Promise<{ readonly bytesWritten: number }>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Makes a file that must not exist. */
export type CreateFile = (path: string) => Promise<ObjectFile>;

const createFile: CreateFile = (path) => open(path, "wx", 0o600);

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
  failpoint("before-open");
  const file = await (options.createFile ?? createFile)(options.path);
  failpoint("after-open");
  const { readable, writable } = new TransformStream<RecordBatch, RecordBatch>();
  const batches = writable.getWriter();
  const hash = createHash("sha256");
  let rows = 0;
  let writtenBytes = 0;
  let pendingBytes = 0;
  /** Encoded bytes for each byte of IPC, from the row groups that are written. */
  let ratio = 1;
  let encodedIpcBytes = 0;

  /** The row group that is on its way into the file. */
  let writing: Promise<void> = Promise.resolve();

  /** Runs from the first batch on, whose values decide how the columns are encoded. */
  let pump: Promise<void> | null = null;

  function startPump(first: ColumnBatch): Promise<void> {
    const started = copyToFile(readable, writerProperties(options, first), (chunk) => {
      hash.update(chunk);
      writtenBytes += chunk.byteLength;
      encodedIpcBytes += pendingBytes;
      pendingBytes = 0;
      if (encodedIpcBytes > 0) ratio = writtenBytes / encodedIpcBytes;
      writing = writeAll(file, chunk);
      return writing;
    });
    // A failure is met by whoever awaits the pump next; until then it is not unhandled.
    started.catch(() => {});
    return started;
  }

  return {
    get rows() {
      return rows;
    },
    get estimatedBytes() {
      return writtenBytes + pendingBytes * ratio;
    },
    async append(batch) {
      if (batch.rows === 0) return;
      pump ??= startPump(batch);
      const ipc = encodeIpc(schema, batch);
      rows += batch.rows;
      pendingBytes += ipc.byteLength;
      for (const recordBatch of takeRecordBatches(ipc))
        await Promise.race([batches.write(recordBatch), pump]);
      await writing;
    },
    async close() {
      if (pump === null) throw new Error("an object has at least one row");
      await batches.close();
      await pump;
      failpoint("before-file-sync");
      await file.sync();
      await file.close();
      failpoint("after-file-sync");
      return { rows, bytes: writtenBytes, sha256: hash.digest("hex") };
    },
    async abort() {
      await batches.abort().catch(() => {});
      await pump?.catch(() => {});
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
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const parquet: ReadableStream<Uint8Array> = await transformParquetStream(batches, properties);
  for await (const chunk of parquet) await write(chunk);
}

async function writeAll(file: ObjectFile, chunk: Uint8Array): Promise<void> {
  failpoint("before-write");
  for (let offset = 0; offset < chunk.byteLength; ) {
    const { bytesWritten } = await file.write(chunk, offset);
    offset += bytesWritten;
  }
  failpoint("after-write");
}

function writerProperties({ columns, compression, footer }: ObjectWriterOptions, first: ColumnBatch) {
  let builder = new WriterPropertiesBuilder()
    .setCompression(COMPRESSION[compression])
    .setStatisticsEnabled(EnabledStatistics.Chunk)
    .setMaxRowGroupSize(ROW_GROUP_ROWS)
    .setMaxRowGroupBytes(ROW_GROUP_BYTES)
    .setKeyValueMetadata(new Map(Object.entries(footer)));
  for (const [index, column] of first.columns.entries()) {
    const { name } = columns[index] as ColumnSpec;
    if (!repeats(column, first.rows)) builder = builder.setColumnDictionaryEnabled(name, false);
  }
  return builder.build();
}
