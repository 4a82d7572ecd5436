import type { QueryColumn, SqlValue } from "../core/types.ts";
import type { ColumnBatch, ColumnSpec } from "./column-batch.ts";
import { createColumnBuilder } from "./column-builders.ts";
import { rescuedJson, rescuedText, rescuedValue } from "./rescue.ts";

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
  const builders = columns.map((column) => createColumnBuilder(column.type, maxRows));
  const rescued = rowwise ? createColumnBuilder("string", maxRows) : null;
  const all = rescued ? [...builders, rescued] : builders;
  const rowidIndex = rowwise ? columns.findIndex((column) => column.name === ROWID_COLUMN) : -1;

  let count = 0;
  let lastRowid: bigint | null = null;
  let complete = true;
  let entries: [string, string][] = [];
  for (const row of rows) {
    const rowid = rowwise ? (row[rowidIndex] as bigint) : 0n;
    for (const [index, column] of columns.entries()) {
      const builder = builders[index] as (typeof builders)[number];
      const value = row[index] as SqlValue;
      if (value === null) {
        builder.appendNull();
        continue;
      }
      if (typeof value === "string" && mayBeInvalid(value) && column.source !== null && rowwise) {
        const bytes = readInvalidText(rowid, column.source);
        if (bytes) {
          builder.appendNull();
          entries.push([column.source, rescuedText(bytes)]);
          continue;
        }
      }
      if (builder.append(value)) continue;
      builder.appendNull();
      if (column.source !== null) entries.push([column.source, rescuedValue(value)]);
    }
    if (rescued) {
      if (entries.length === 0) rescued.appendNull();
      else {
        rescued.append(rescuedJson(entries));
        entries = [];
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
