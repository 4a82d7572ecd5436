import {
  type RecordBatch,
  Table,
  transformParquetStream,
  type WriterProperties,
  writeParquet,
} from "parquet-wasm";

/** The memory of the wasm `Table` is freed at once; otherwise it grows with every batch of the object. */
export function takeRecordBatches(ipc: Uint8Array): RecordBatch[] {
  const table = Table.fromIPCStream(ipc);
  try {
    return table.recordBatches();
  } finally {
    table.free();
  }
}

/** What a batch is encoded to as an object of its own, whose dictionaries weigh more than in a larger one. */
export function encodedBytes(ipc: Uint8Array, properties: WriterProperties): number {
  return writeParquet(Table.fromIPCStream(ipc), properties).byteLength;
}

/** Writes the file of these batches, piece by piece, each when the one before it is written. */
export async function encodeStream(
  batches: ReadableStream<RecordBatch>,
  properties: WriterProperties,
  write: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const parquet: ReadableStream<Uint8Array> = await transformParquetStream(batches, properties);
  for await (const chunk of parquet) await write(chunk);
}
