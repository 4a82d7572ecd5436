import { type RecordBatch, Table, transformParquetStream, writeParquet } from "parquet-wasm";
import { createIpcEncoder } from "./ipc.ts";
import type { ParquetEncoder, ParquetEncoderOptions } from "./parquet-encoder.ts";
import { writerProperties } from "./writer-properties.ts";

/** Encodes by parquet-wasm. */
export function createWasmEncoder(options: ParquetEncoderOptions): ParquetEncoder {
  const ipcEncoder = createIpcEncoder(options.columns);
  const { readable, writable } = new TransformStream<RecordBatch, RecordBatch>();
  const batches = writable.getWriter();
  let ipcBytes = 0;
  /** Encoded bytes for each byte of IPC: from the row groups that are written, and before that from a batch. */
  let ratio: number | null = null;
  let encodedIpcBytes = 0;
  let writtenBytes = 0;
  let isFirst = true;
  /** The row group that is on its way into the file. */
  let writing: Promise<void> = Promise.resolve();

  async function pumpAll(): Promise<void> {
    const parquet: ReadableStream<Uint8Array> = await transformParquetStream(
      readable,
      writerProperties(options),
    );
    for await (const chunk of parquet) {
      writtenBytes += chunk.byteLength;
      encodedIpcBytes += ipcBytes;
      ipcBytes = 0;
      if (encodedIpcBytes > 0) ratio = writtenBytes / encodedIpcBytes;
      writing = options.write(chunk);
      await writing;
    }
  }
  const pump = pumpAll();
  // A failure is met by whoever awaits the pump next; until then it is not unhandled.
  pump.catch(() => {});

  return {
    get pendingBytes() {
      return ipcBytes * (ratio ?? 1);
    },
    async append(batch) {
      const ipc = ipcEncoder.encode(batch);
      // A first batch is small beside a full object, whatever it is encoded to; the second is tried.
      if (!isFirst) ratio ??= encodedBytes(ipc, options) / ipc.byteLength;
      isFirst = false;
      ipcBytes += ipc.byteLength;
      for (const recordBatch of takeRecordBatches(ipc))
        await Promise.race([batches.write(recordBatch), pump]);
      await writing;
    },
    async end() {
      await batches.close();
      await pump;
    },
    async abort() {
      await batches.abort().catch(() => {});
      await pump.catch(() => {});
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

/** What a batch is encoded to as an object of its own, whose dictionaries weigh more than in a larger one. */
function encodedBytes(ipc: Uint8Array, options: ParquetEncoderOptions): number {
  return writeParquet(Table.fromIPCStream(ipc), writerProperties(options)).byteLength;
}
