import { Builder, type Offset } from "flatbuffers";
import type { ColumnType } from "../core/types.ts";
import type { ColumnBatch, ColumnSpec } from "./column-batch.ts";

/**
 * Batches as Arrow IPC streams, the form in which the Parquet encoder takes them:
 * https://arrow.apache.org/docs/format/Columnar.html#ipc-streaming-format. The numbers of fields and enumerations are
 * those of https://github.com/apache/arrow/blob/main/format/Message.fbs and Schema.fbs.
 */
export interface IpcEncoder {
  /** Schema, one record batch, end; valid until the next call, which writes over it. */
  encode(batch: ColumnBatch): Uint8Array;
}

const METADATA_V5 = 4;
const HEADER_SCHEMA = 1;
const HEADER_RECORD_BATCH = 3;
const CONTINUATION = 0xffffffff;
const ALIGNMENT = 8;
const END_OF_STREAM_BYTES = 8;

/** For batches of these columns, each of which may be null. */
export function createIpcEncoder(columns: readonly ColumnSpec[]): IpcEncoder {
  const schema = frame(schemaMessage(columns));
  let memory = new Uint8Array();

  return {
    encode(batch) {
      const parts = partsOf(batch);
      const bodyBytes = parts.reduce((total, part) => total + aligned(part.byteLength), 0);
      const header = frame(recordBatchMessage(batch, parts, bodyBytes));
      const bytes = schema.byteLength + header.byteLength + bodyBytes + END_OF_STREAM_BYTES;
      if (memory.byteLength < bytes) memory = new Uint8Array(bytes);
      memory.set(schema, 0);
      memory.set(header, schema.byteLength);
      let at = schema.byteLength + header.byteLength;
      for (const part of parts) {
        memory.set(part, at);
        const end = at + aligned(part.byteLength);
        memory.fill(0, at + part.byteLength, end);
        at = end;
      }
      new DataView(memory.buffer).setUint32(at, CONTINUATION, true);
      new DataView(memory.buffer).setUint32(at + 4, 0, true);
      return memory.subarray(0, bytes);
    },
  };
}

/** Of each column its validity, offsets and values; an empty part where it has none. */
function partsOf({ columns }: ColumnBatch): Uint8Array[] {
  return columns.flatMap(({ validity, offsets, values }) =>
    [validity ?? new Uint8Array(), ...(offsets ? [offsets] : []), values].map(
      (part) => new Uint8Array(part.buffer, part.byteOffset, part.byteLength),
    ),
  );
}

function schemaMessage(columns: readonly ColumnSpec[]): Uint8Array {
  const builder = new Builder();
  const fields = columns.map((column) => addField(builder, column));
  const fieldsAt = addVectorOfOffsets(builder, fields);
  builder.startObject(4);
  builder.addFieldOffset(1, fieldsAt, 0);
  return finishMessage(builder, HEADER_SCHEMA, builder.endObject(), 0);
}

function addField(builder: Builder, { name, type }: ColumnSpec): Offset {
  const nameAt = builder.createString(name);
  const [kind, typeAt] = addType(builder, type);
  const childrenAt = addVectorOfOffsets(builder, []);
  builder.startObject(7);
  builder.addFieldOffset(0, nameAt, 0);
  builder.addFieldInt8(1, 1, 0);
  builder.addFieldInt8(2, kind, 0);
  builder.addFieldOffset(3, typeAt, 0);
  builder.addFieldOffset(5, childrenAt, 0);
  return builder.endObject();
}

/** @returns the number of the kind of type, and where its description is */
function addType(builder: Builder, type: ColumnType): [kind: number, at: Offset] {
  const describe = (fields: number, add: () => void = () => {}): Offset => {
    builder.startObject(fields);
    add();
    return builder.endObject();
  };
  switch (type) {
    case "int64":
      return [
        2,
        describe(2, () => {
          builder.addFieldInt32(0, 64, 0); // bits
          builder.addFieldInt8(1, 1, 0); // signed
        }),
      ];
    case "double":
      return [3, describe(1, () => builder.addFieldInt16(0, 2, 0))];
    case "binary":
      return [4, describe(0)];
    case "string":
      return [5, describe(0)];
    case "boolean":
      return [6, describe(0)];
    case "timestamp": {
      const timezoneAt = builder.createString("UTC");
      return [
        10,
        describe(2, () => {
          builder.addFieldInt16(0, 2, 0); // microseconds
          builder.addFieldOffset(1, timezoneAt, 0);
        }),
      ];
    }
  }
}

function recordBatchMessage(
  { rows, columns }: ColumnBatch,
  parts: readonly Uint8Array[],
  bodyBytes: number,
): Uint8Array {
  const builder = new Builder();
  const nodesAt = addVectorOfPairs(
    builder,
    columns.map(({ nullCount }) => [rows, nullCount] as const),
  );
  let at = 0;
  const buffersAt = addVectorOfPairs(
    builder,
    parts.map(({ byteLength }) => {
      const start = at;
      at += aligned(byteLength);
      return [start, byteLength] as const;
    }),
  );
  builder.startObject(4);
  builder.addFieldInt64(0, BigInt(rows), 0n);
  builder.addFieldOffset(1, nodesAt, 0);
  builder.addFieldOffset(2, buffersAt, 0);
  return finishMessage(builder, HEADER_RECORD_BATCH, builder.endObject(), bodyBytes);
}

function finishMessage(builder: Builder, kind: number, headerAt: Offset, bodyBytes: number): Uint8Array {
  builder.startObject(5);
  builder.addFieldInt16(0, METADATA_V5, 0);
  builder.addFieldInt8(1, kind, 0);
  builder.addFieldOffset(2, headerAt, 0);
  builder.addFieldInt64(3, BigInt(bodyBytes), 0n);
  builder.finish(builder.endObject());
  return builder.asUint8Array();
}

function addVectorOfOffsets(builder: Builder, offsets: readonly Offset[]): Offset {
  builder.startVector(4, offsets.length, 4);
  for (const offset of offsets.toReversed()) builder.addOffset(offset);
  return builder.endVector();
}

/** Structs of two 64-bit integers; a vector is written from its end. */
function addVectorOfPairs(builder: Builder, pairs: readonly (readonly [number, number])[]): Offset {
  builder.startVector(16, pairs.length, 8);
  for (const [first, second] of pairs.toReversed()) {
    builder.writeInt64(BigInt(second));
    builder.writeInt64(BigInt(first));
  }
  return builder.endVector();
}

/** A message with its mark and length in front, padded so that what follows is aligned. */
function frame(message: Uint8Array): Uint8Array {
  const framed = new Uint8Array(8 + aligned(message.byteLength));
  const view = new DataView(framed.buffer);
  view.setUint32(0, CONTINUATION, true);
  view.setInt32(4, framed.byteLength - 8, true);
  framed.set(message, 8);
  return framed;
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}
