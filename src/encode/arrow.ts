import {
  Binary,
  Bool,
  Data,
  type DataType,
  Field,
  Float64,
  Int64,
  makeData,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  TimestampMicrosecond,
  Utf8,
} from "apache-arrow";
import type { ColumnType } from "../core/types.ts";
import type { ColumnBatch, ColumnData, ColumnSpec } from "./column-batch.ts";

/** The Arrow types behind the types that Spark reads without help (docs/OBJECTS.md). */
const ARROW_TYPES: Record<ColumnType, () => DataType> = {
  int64: () => new Int64(),
  double: () => new Float64(),
  string: () => new Utf8(),
  boolean: () => new Bool(),
  binary: () => new Binary(),
  timestamp: () => new TimestampMicrosecond("UTC"),
};

/** The Arrow schema of an object; every column may be null. */
export function arrowSchema(columns: readonly ColumnSpec[]): Schema {
  return new Schema(columns.map(({ name, type }) => new Field(name, ARROW_TYPES[type](), true)));
}

/** A batch as one Arrow IPC stream (schema, one record batch, end), made without copying a value. */
export function encodeIpc(schema: Schema, batch: ColumnBatch): Uint8Array {
  const children = batch.columns.map((column, index) =>
    arrowData((schema.fields[index] as Field).type, batch.rows, column),
  );
  const struct = makeData({ type: new Struct(schema.fields), length: batch.rows, nullCount: 0, children });
  const writer = new RecordBatchStreamWriter();
  writer.write(new RecordBatch(schema, struct));
  return writer.finish().toUint8Array(true);
}

function arrowData(type: DataType, rows: number, column: ColumnData): Data {
  const { offsets, values, validity, nullCount } = column;
  return new Data(type, 0, rows, nullCount, [
    offsets ?? undefined,
    values,
    validity ?? undefined,
    undefined,
  ] as never);
}
