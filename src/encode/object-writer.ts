import { createHash } from "node:crypto";
import { open } from "node:fs/promises";
import { failpoint } from "../core/failpoints.ts";
import type { ConstantColumn } from "../core/types.ts";
import { batchBytes, type ColumnBatch, type ColumnSpec } from "./column-batch.ts";
import { createConstantAppender } from "./constants.ts";
import { chooseEncodings } from "./encodings.ts";
import { createNativeEncoder } from "./native-encoder.ts";
import type { ParquetCompression, ParquetEncoder, ParquetEncoderOptions } from "./parquet-encoder.ts";
import { ROWS_THAT_SHOW } from "./repetition.ts";

export interface ObjectWriterOptions {
  /** Where the file is made; it must not exist. */
  readonly path: string;
  /** How the file is made; tests record what is asked of it. */
  readonly createFile?: CreateFile | undefined;
  /** Those of the batches, in order. */
  readonly columns: readonly ColumnSpec[];
  /** Columns behind them that have one value in every row. */
  readonly constants?: readonly ConstantColumn[];
  readonly compression: ParquetCompression;
  /** Key-value metadata of the Parquet footer: what is known before the first row. */
  readonly footer: Readonly<Record<string, string>>;
  /** Told of each batch that was appended when it is encoded, and not needed any more. */
  readonly onEncoded?: (batch: ColumnBatch) => void;
}

/** What the writer asks of its file; a `FileHandle` is one. */
export interface ObjectFile {
  write(chunk: Uint8Array, offset: number): Promise<{ readonly bytesWritten: number }>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Makes a file that must not exist. */
export type CreateFile = (path: string) => Promise<ObjectFile>;

export type OpenObjectWriter = (options: ObjectWriterOptions) => Promise<ObjectWriter>;

const createFile: CreateFile = (path) => open(path, "wx", 0o600);

/** A Parquet file in the making. */
export interface ObjectWriter {
  readonly rows: number;
  /** Encoded bytes, those of the row group in the making estimated. */
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

/** The first batches are encoded at so many bytes, though they may have few rows: about a read. */
const MOST_HELD_BYTES = 16 * 1024 * 1024;

/** Opens a Parquet file that is written row group by row group. Batches have the columns in order. */
export async function openObjectWriter(options: ObjectWriterOptions): Promise<ObjectWriter> {
  const { compression, footer, constants = [], onEncoded = () => {} } = options;
  const columns = [...options.columns, ...constants];
  const withConstants = createConstantAppender(constants);
  failpoint("before-open");
  const file = await (options.createFile ?? createFile)(options.path);
  failpoint("after-open");
  const hash = createHash("sha256");
  let rows = 0;
  let writtenBytes = 0;

  /** The first batches, until they have rows enough to show how the columns are encoded best. */
  let held: ColumnBatch[] = [];
  let heldRows = 0;
  let heldBytes = 0;
  let encoder: ParquetEncoder | null = null;
  let isGivenUp = false;

  /** What a write failed by: whatever is written behind it, the file is not whole. */
  let failure: { readonly error: unknown } | null = null;

  async function write(chunk: Uint8Array): Promise<void> {
    if (failure !== null) throw failure.error;
    try {
      await writeAll(file, chunk);
    } catch (error) {
      failure = { error };
      throw error;
    }
    hash.update(chunk);
    writtenBytes += chunk.byteLength;
  }

  async function encodeHeld({ areAll }: { areAll: boolean }): Promise<void> {
    const first = held;
    held = [];
    heldBytes = 0;
    const encodings = chooseEncodings(columns, first.map(withConstants), areAll);
    encoder = await createEncoder({ columns, encodings, compression, footer, write });
    for (const batch of first) await encode(encoder, batch);
  }

  async function encode(encoder: ParquetEncoder, batch: ColumnBatch): Promise<void> {
    await encoder.append(withConstants(batch));
    onEncoded(batch);
  }

  return {
    get rows() {
      return rows;
    },
    get estimatedBytes() {
      return writtenBytes + (encoder?.pendingBytes ?? 0) + heldBytes;
    },
    async append(batch) {
      if (batch.rows === 0) return;
      if (isGivenUp) throw new Error("the object was given up");
      rows += batch.rows;
      if (encoder !== null) return encode(encoder, batch);
      held.push(batch);
      heldRows += batch.rows;
      heldBytes += batchBytes(batch);
      if (heldRows >= ROWS_THAT_SHOW || heldBytes >= MOST_HELD_BYTES) await encodeHeld({ areAll: false });
    },
    async close() {
      if (held.length > 0) await encodeHeld({ areAll: true });
      if (encoder === null) throw new Error("an object has at least one row");
      await encoder.end();
      failpoint("before-file-sync");
      await file.sync();
      await file.close();
      failpoint("after-file-sync");
      return { rows, bytes: writtenBytes, sha256: hash.digest("hex") };
    },
    async abort() {
      isGivenUp = true;
      try {
        await encoder?.abort();
      } finally {
        await file.close();
      }
    },
  };
}

/** parquet-wasm is loaded where it is needed alone: to compile it takes time, and memory that is not given back. */
async function createEncoder(options: ParquetEncoderOptions): Promise<ParquetEncoder> {
  const native = createNativeEncoder(options);
  if (native !== null) return native;
  const { createWasmEncoder } = await import("./wasm-encoder.ts");
  return createWasmEncoder(options);
}

async function writeAll(file: ObjectFile, chunk: Uint8Array): Promise<void> {
  failpoint("before-write");
  for (let offset = 0; offset < chunk.byteLength; ) {
    const { bytesWritten } = await file.write(chunk, offset);
    offset += bytesWritten;
  }
  failpoint("after-write");
}
