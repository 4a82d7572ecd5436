import Database from "better-sqlite3";
import type { RouteQuery, SqlValue } from "../core/types.ts";
import { MAX_ARGUMENTS } from "../sqlite/limits.ts";
import type { Connection } from "../sqlite/open.ts";
import type { ColumnData } from "./column-batch.ts";
import { createColumnBuilder } from "./column-builders.ts";
import {
  type ColumnarBlob,
  INVALID_TEXT,
  type Misfit,
  TYPE_LETTERS,
  takeRows,
  viewColumnarBlob,
} from "./columnar-blob.ts";
import {
  type ReadColumnsOptions,
  type ReadColumnsResult,
  ROWID_COLUMN,
  readColumns,
} from "./read-columns.ts";
import { rescuedJson, rescuedText, rescuedValue } from "./rescue.ts";
import { MAX_ROW_BYTES } from "./row-limit.ts";

/** The query, the types, the limit and the most bytes of a row. */
const FIRST_ARGUMENTS = 4;

/** What the functions of native/ say of a read that is left to another way; neither ends the transaction. */
const LEFT_TO_ANOTHER: readonly string[] = ["SQLITE_MISMATCH", "SQLITE_TOOBIG"];

export type ReadColumnarOptions = Omit<
  ReadColumnsOptions,
  "maxRows" | "mayBeInvalid" | "omitted" | "onOmitted"
>;

/** A query that has values for all of its parameters, `first` and `last` included. */
export type BoundQuery = Pick<RouteQuery, "sql" | "columnarSql" | "parameters">;

/**
 * What `readColumns` makes of the rows of a query, byte for byte, in a fraction of the time: by the functions of
 * native/, which the connection has where `loadColumnarExtension` returned true. Where the query's own cannot do it,
 * `columnar` does.
 *
 * @returns null where this query, or what it selects, needs `readColumns`: with hundreds of parameters, a row
 *   that may be too large, or text that is not valid Unicode in a column that is not of the source
 */
export function readColumnar(
  db: Connection,
  query: BoundQuery,
  options: ReadColumnarOptions,
): ReadColumnsResult | null {
  const blob = selectOwn(db, query) ?? selectColumnar(db, query, options);
  if (blob === null) return null;
  if (blob === NO_ROWS) return readColumns([], { ...options, maxRows: 0, mayBeInvalid: () => false });
  const types = options.columns.map((column) => column.type);
  return resultOf(viewColumnarBlob(blob, types), options);
}

const NO_ROWS = Symbol("no rows");

/** What a function returned; null where it leaves the read to another way. */
type Selected = Buffer | typeof NO_ROWS | null;

function selectOwn(db: Connection, { columnarSql, parameters }: BoundQuery): Selected {
  return columnarSql ? select(db, columnarSql, [parameters]) : null;
}

function selectColumnar(
  db: Connection,
  { sql, parameters }: BoundQuery,
  options: ReadColumnarOptions,
): Selected {
  const names = Object.keys(parameters);
  if (FIRST_ARGUMENTS + names.length * 2 > MAX_ARGUMENTS) return null;
  return select(db, `SELECT columnar(?, ?, ?, ?${", ?, ?".repeat(names.length)})`, [
    sql,
    options.columns.map((column) => typeLetter(column, options)).join(""),
    options.rowwise ? BigInt(Math.max(1, options.maxBytes)) : 0n,
    BigInt(options.maxRowBytes ?? MAX_ROW_BYTES),
    ...names.flatMap((name) => [`@${name}`, parameters[name]]),
  ]);
}

function select(db: Connection, sql: string, values: readonly unknown[]): Selected {
  try {
    return (statementFor(db, sql).get(...values) as Buffer | null) ?? NO_ROWS;
  } catch (error) {
    if (error instanceof Database.SqliteError && LEFT_TO_ANOTHER.includes(error.code)) return null;
    throw error;
  }
}

/** As long as the connection lives; there are few. */
const statements = new WeakMap<Connection, Map<string, Database.Statement>>();

function statementFor(db: Connection, sql: string): Database.Statement {
  let ofConnection = statements.get(db);
  if (!ofConnection) {
    ofConnection = new Map();
    statements.set(db, ofConnection);
  }
  let statement = ofConnection.get(sql);
  if (!statement) {
    statement = db.prepare(sql).pluck();
    ofConnection.set(sql, statement);
  }
  return statement;
}

/** A capital asks for the values that do not fit, which are for `_rescued`. */
function typeLetter(
  { type, source }: ReadColumnarOptions["columns"][number],
  { rowwise }: ReadColumnarOptions,
): string {
  const letter = TYPE_LETTERS[type];
  return rowwise && source !== null ? letter.toUpperCase() : letter;
}

function resultOf(blob: ColumnarBlob, options: ReadColumnarOptions): ReadColumnsResult | null {
  const { rows, columns } = blob;
  if (!options.rowwise) return { batch: { rows, columns }, lastRowid: null, complete: true };
  const rowids = columns[options.columns.findIndex(({ name }) => name === ROWID_COLUMN)]
    ?.values as BigInt64Array;
  const rescued = rescueMisfits(blob, rowids, options);
  if (rescued === null) return null;
  const isCut = rescued.rows < rows;
  return {
    batch: {
      rows: rescued.rows,
      columns: [
        ...(isCut ? columns.map((column) => takeRows(column, rescued.rows)) : columns),
        rescued.column,
      ],
    },
    lastRowid: rowids[rescued.rows - 1] as bigint,
    complete: !rescued.full,
  };
}

interface Rescued {
  readonly column: ColumnData;
  /** Those that are kept: what is rescued counts among the bytes of a read. */
  readonly rows: number;
  readonly full: boolean;
}

/** Makes `_rescued`; null where a text turns out to be what the source holds after all. */
function rescueMisfits(
  blob: ColumnarBlob,
  rowids: BigInt64Array,
  options: ReadColumnarOptions,
): Rescued | null {
  const rescued = createColumnBuilder("string", blob.rows);
  const bytesOf = countBytes(blob.columns);
  const misfits = blob.misfits();
  let next = misfits.next().value;
  let full = blob.full;
  let rows = 0;
  while (rows < blob.rows) {
    const entries: [string, string][] = [];
    for (; next?.row === rows; next = misfits.next().value) {
      const source = options.columns[next.column]?.source as string;
      const json = misfitJson(next, source, rowids[rows] as bigint, options);
      if (json === null) return null;
      entries.push([source, json]);
    }
    if (entries.length === 0) rescued.appendNull();
    else rescued.append(rescuedJson(entries));
    rows++;
    // Without misfits the extension has counted the same.
    if (blob.misfitCount > 0 && bytesOf(rows) + rescued.bytes >= options.maxBytes) {
      full = true;
      break;
    }
  }
  return { column: rescued.finish(), rows, full };
}

function misfitJson(
  { value }: Misfit,
  source: string,
  rowid: bigint,
  { readInvalidText }: ReadColumnarOptions,
): string | null {
  if (value !== INVALID_TEXT) return rescuedValue(value as Exclude<SqlValue, null>);
  const bytes = readInvalidText(rowid, source);
  return bytes && rescuedText(bytes);
}

/** Counts what column-builders.ts does for the first rows of these columns. */
function countBytes(columns: readonly ColumnData[]): (rows: number) => number {
  const offsets = columns.flatMap((column) => column.offsets ?? []);
  const bits = columns.filter(({ type }) => type === "boolean").length;
  const words = columns.length - offsets.length - bits;
  return (rows) => {
    let total = words * rows * 8 + bits * ((rows + 7) >> 3) + offsets.length * rows * 4;
    for (const ends of offsets) total += ends[rows] as number;
    return total;
  };
}
