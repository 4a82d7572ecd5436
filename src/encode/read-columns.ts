import type { QueryColumn, SqlValue } from "../core/types.ts";
import type { ColumnBatch, ColumnSpec } from "./column-batch.ts";
import { createColumnBuilder } from "./column-builders.ts";
import { omittedValue, rescuedJson, rescuedText, rescuedValueWithin } from "./rescue.ts";
import { longBytes, MAX_ROW_BYTES } from "./row-limit.ts";

export const ROWID_COLUMN = "_rowid";
export const RESCUED_COLUMN = "_rescued";

/** What a query's result is turned into columns with. */
export interface ReadColumnsOptions {
  readonly columns: readonly QueryColumn[];
  /** Rows are source rows: they end at `maxBytes`, and what does not fit its type goes to `_rescued`. */
  readonly rowwise: boolean;
  /** The most rows there can be. */
  readonly maxRows: number;
  readonly maxBytes: number;
  /** False for a text that is certainly as it is stored. */
  readonly mayBeInvalid: (text: string) => boolean;
  /**
   * Reads again, in the same transaction, the bytes of a text that may not be valid in the database's
   * encoding; null if it is valid after all.
   */
  readonly readInvalidText: (rowid: bigint, column: string) => Uint8Array | null;
  /** The most bytes of long values in one row; left out: MAX_ROW_BYTES. */
  readonly maxRowBytes?: number;
  /** What the query has left out already, which goes to `_rescued` of each row: columns to JSON. */
  readonly omitted?: readonly (readonly [column: string, json: string])[];
  /** Told of a value that is too large to be shipped. */
  readonly onOmitted?: (rowid: bigint | null, column: string, bytes: number) => void;
}

export interface ReadColumnsResult {
  /** The columns of the query, then `_rescued` where it is row by row. */
  readonly batch: ColumnBatch;
  /** The rowid of the last row, where it is row by row and there was one. */
  readonly lastRowid: bigint | null;
  /** Whether the rows were taken to their end, rather than to `maxBytes`. */
  readonly complete: boolean;
}

/** The columns that `readColumns` makes of a query. */
export function resultColumns(columns: readonly QueryColumn[], rowwise: boolean): ColumnSpec[] {
  return rowwise ? [...columns, { name: RESCUED_COLUMN, type: "string" }] : [...columns];
}

/** Turns rows, as better-sqlite3 gives them raw and with safe integers, into columns. */
export function readColumns(rows: Iterable<SqlValue[]>, options: ReadColumnsOptions): ReadColumnsResult {
  const { columns, rowwise, maxRows, maxBytes, mayBeInvalid, readInvalidText } = options;
  const { maxRowBytes = MAX_ROW_BYTES, omitted = [], onOmitted } = options;
  const builders = columns.map((column) => createColumnBuilder(column.type, maxRows));
  const rescued = rowwise ? createColumnBuilder("string", maxRows) : null;
  const all = rescued ? [...builders, rescued] : builders;
  const rowidIndex = rowwise ? columns.findIndex((column) => column.name === ROWID_COLUMN) : -1;

  let count = 0;
  let lastRowid: bigint | null = null;
  let complete = true;
  let entries: (readonly [string, string])[] = [...omitted];
  const omit = (rowid: bigint, column: QueryColumn, value: string | Buffer, bytes: number) => {
    const name = column.source ?? column.name;
    entries.push([name, omittedValue(typeof value === "string" ? "text" : "blob", bytes)]);
    onOmitted?.(rowwise ? rowid : null, name, bytes);
  };
  for (const row of rows) {
    const rowid = rowwise ? (row[rowidIndex] as bigint) : 0n;
    let rowBytes = 0;
    for (const [index, column] of columns.entries()) {
      const builder = builders[index] as (typeof builders)[number];
      const value = row[index] as SqlValue;
      if (value === null) {
        builder.appendNull();
        continue;
      }
      const bytes = longBytes(value);
      if (rowBytes + bytes > maxRowBytes) {
        builder.appendNull();
        omit(rowid, column, value as string | Buffer, bytes);
        continue;
      }
      rowBytes += bytes;
      if (typeof value === "string" && mayBeInvalid(value) && column.source !== null && rowwise) {
        const stored = readInvalidText(rowid, column.source);
        if (stored) {
          builder.appendNull();
          if (stored.length * 2 > maxRowBytes) omit(rowid, column, value, stored.length);
          else entries.push([column.source, rescuedText(stored)]);
          continue;
        }
      }
      if (builder.append(value)) continue;
      builder.appendNull();
      if (column.source === null) continue;
      const json = rescuedValueWithin(value, maxRowBytes - rowBytes + bytes);
      if (json === null) {
        omit(rowid, column, value as string | Buffer, Buffer.byteLength(value as string | Buffer));
        rowBytes -= bytes;
        continue;
      }
      entries.push([column.source, json]);
      if (bytes > 0) rowBytes += json.length - bytes;
    }
    if (rescued) {
      if (entries.length === 0) rescued.appendNull();
      else {
        rescued.append(rescuedJson(entries));
        entries = [...omitted];
      }
      lastRowid = rowid;
    }
    count++;
    if (rowwise && totalBytes(all) >= maxBytes) {
      complete = false;
      break;
    }
  }

  return { batch: { rows: count, columns: all.map((builder) => builder.finish()) }, lastRowid, complete };
}

function totalBytes(builders: readonly { readonly bytes: number }[]): number {
  let total = 0;
  for (const builder of builders) total += builder.bytes;
  return total;
}
