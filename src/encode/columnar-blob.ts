import type { ColumnType, SqlValue } from "../core/types.ts";
import type { ColumnData } from "./column-batch.ts";

/** What a SQL function of native/ returned; native/columnar-blob.h describes the layout. */
export interface ColumnarBlob {
  readonly rows: number;
  /** Whether the rows end at the limit in bytes; otherwise there were no more. */
  readonly full: boolean;
  /** Views of the blob, except for the type all there is to a column. */
  readonly columns: readonly ColumnData[];
  /** How many values did not fit their columns, though these were to be listed. */
  readonly misfitCount: number;
  /** Those values, by row, then column. */
  misfits(): Generator<Misfit, void>;
}

export interface Misfit {
  readonly row: number;
  readonly column: number;
  readonly value: Exclude<SqlValue, null> | typeof INVALID_TEXT;
}

/** Stands for text that is not valid in the encoding of the database. */
export const INVALID_TEXT = Symbol("text that is not valid");

const MAGIC = 0x314c4f43; // COL1
const HEADER_BYTES = 24;
const COLUMN_BYTES = 40;
const MISFIT_HEADER_BYTES = 16;
const ALIGNMENT = 8;

/** The letters by which `columnar` knows the types of columns. */
export const TYPE_LETTERS: Readonly<Record<ColumnType, string>> = {
  int64: "i",
  timestamp: "i",
  double: "d",
  boolean: "b",
  string: "s",
  binary: "x",
};

/**
 * Views a blob as columns, copying nothing.
 *
 * @throws {TypeError} where it is not such a blob, for columns of these types
 */
export function viewColumnarBlob(blob: Buffer, types: readonly ColumnType[]): ColumnarBlob {
  // A typed array begins at a multiple of its elements' size, and so does every part within the blob.
  const bytes = blob.byteOffset % ALIGNMENT === 0 ? blob : Buffer.from(new Uint8Array(blob).buffer);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [magic, count, rows, misfitCount, full] = [0, 4, 8, 12, 16].map((at) => view.getUint32(at, true));
  if (magic !== MAGIC || rows === undefined || misfitCount === undefined || count !== types.length)
    throw new TypeError("the C extension returned a blob of another layout: build the extension again");

  const columns = types.map((type, index) =>
    viewColumn(view, HEADER_BYTES + index * COLUMN_BYTES, type, rows),
  );
  return {
    rows,
    full: full === 1,
    columns,
    misfitCount,
    misfits: () => readMisfits(bytes, endOfColumns(view, columns), misfitCount),
  };
}

function viewColumn(view: DataView, at: number, type: ColumnType, rows: number): ColumnData {
  const offset = (place: number): number => Number(view.getBigUint64(at + place, true));
  const bytesAt = (start: number, length: number) =>
    new Uint8Array(view.buffer, view.byteOffset + start, length);
  const nullCount = view.getUint32(at, true);
  return {
    type,
    nullCount,
    validity: nullCount === 0 ? null : bytesAt(offset(8), (rows + 7) >> 3),
    values: viewValues(type, bytesAt(offset(16), offset(24))),
    offsets: hasOffsets(type) ? new Int32Array(view.buffer, view.byteOffset + offset(32), rows + 1) : null,
  };
}

function viewValues(type: ColumnType, bytes: Uint8Array): ColumnData["values"] {
  const count = bytes.byteLength / 8;
  if (type === "double") return new Float64Array(bytes.buffer, bytes.byteOffset, count);
  if (type === "int64" || type === "timestamp")
    return new BigInt64Array(bytes.buffer, bytes.byteOffset, count);
  return bytes;
}

function hasOffsets(type: ColumnType): boolean {
  return type === "string" || type === "binary";
}

function endOfColumns(view: DataView, columns: readonly ColumnData[]): number {
  let end = HEADER_BYTES + columns.length * COLUMN_BYTES;
  for (const { validity, values, offsets } of columns)
    for (const part of [validity, values, offsets])
      if (part && part.byteLength > 0)
        end = Math.max(end, part.byteOffset - view.byteOffset + part.byteLength);
  return aligned(end);
}

function* readMisfits(bytes: Buffer, start: number, count: number): Generator<Misfit, void> {
  let at = start;
  for (let index = 0; index < count; index++) {
    const length = bytes.readUInt32LE(at + 12);
    const value = bytes.subarray(at + MISFIT_HEADER_BYTES, at + MISFIT_HEADER_BYTES + length);
    yield {
      row: bytes.readUInt32LE(at),
      column: bytes.readUInt32LE(at + 4),
      value: misfitValue(bytes.readUInt32LE(at + 8), value),
    };
    at += MISFIT_HEADER_BYTES + aligned(length);
  }
}

function misfitValue(kind: number, bytes: Buffer): Misfit["value"] {
  switch (kind) {
    case 1:
      return bytes.readBigInt64LE();
    case 2:
      return bytes.readDoubleLE();
    case 3:
      return bytes.toString("utf8");
    case 4:
      return bytes;
    default:
      return INVALID_TEXT;
  }
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

/** The first rows of a column. */
export function takeRows(column: ColumnData, rows: number): ColumnData {
  const { type, offsets } = column;
  const validity = column.validity && takeBits(column.validity, rows);
  const nullCount = validity === null ? 0 : rows - countBits(validity);
  return {
    type,
    nullCount,
    validity: nullCount === 0 ? null : validity,
    values:
      type === "boolean"
        ? takeBits(column.values as Uint8Array, rows)
        : column.values.subarray(0, offsets ? offsets[rows] : rows),
    offsets: offsets?.subarray(0, rows + 1) ?? null,
  };
}

/** Those behind the last row are 0, as they are where rows end by themselves. */
function takeBits(bits: Uint8Array, rows: number): Uint8Array {
  const taken = bits.slice(0, (rows + 7) >> 3);
  if (rows & 7) taken[rows >> 3] = (taken[rows >> 3] as number) & ((1 << (rows & 7)) - 1);
  return taken;
}

function countBits(bits: Uint8Array): number {
  let count = 0;
  for (let byte of bits) for (; byte > 0; byte &= byte - 1) count++;
  return count;
}
