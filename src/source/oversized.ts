import Database from "better-sqlite3";
import type { RowRange, SourceSchema } from "../core/types.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";
import { type CountedRange, countRowsWithin } from "./range.ts";

/** A value that is too large to be read. */
export interface OversizedValue {
  readonly rowid: bigint;
  readonly column: string;
  readonly type: "text" | "blob";
  readonly bytes: number;
}

/**
 * Runs `work` over a range. Where a value there is larger than the connection hands out (SQLITE_TOOBIG; what
 * V8 can hold), over the rows before that one, or, where it is the first, over that row alone with null in the
 * place of such values.
 *
 * For the latter a temporary view takes the table's name for a moment, since temporary names go before others
 * (https://sqlite.org/lang_naming.html): queries name the table without its database, and need not know.
 *
 * @param maxRowBytes the most bytes that the values of one row may have together
 */
export function withoutOversized<Result>(
  db: Connection,
  schema: SourceSchema,
  range: CountedRange,
  maxRowBytes: number,
  work: (range: CountedRange, omitted: readonly OversizedValue[]) => Result,
): Result {
  try {
    return work(range, []);
  } catch (error) {
    if (!(error instanceof Database.SqliteError) || error.code !== "SQLITE_TOOBIG") throw error;
    const rowid = firstOversizedRow(db, schema, range, maxRowBytes);
    if (rowid === null) throw error;
    if (rowid > range.first) {
      const before = rowsUpTo(db, schema, range, rowid - 1n);
      return withoutOversized(db, schema, before, maxRowBytes, work);
    }
    const omitted = oversizedValues(db, schema, rowid, maxRowBytes);
    hideValues(db, schema, omitted);
    try {
      return work({ first: rowid, last: rowid, rows: 1 }, omitted);
    } finally {
      db.exec(`DROP VIEW temp.${quoteName(schema.table)}`);
    }
  }
}

/** Lengths alone are read without the values: https://sqlite.org/lang_corefunc.html#octet_length */
function firstOversizedRow(
  db: Connection,
  schema: SourceSchema,
  { first, last }: RowRange,
  maxRowBytes: number,
): bigint | null {
  const rowid = quoteName(schema.rowidName);
  const total = schema.columns.map(({ name }) => `ifnull(octet_length(${quoteName(name)}), 0)`).join(" + ");
  const sql = `SELECT ${rowid} FROM main.${quoteName(schema.table)}
    WHERE ${rowid} BETWEEN ? AND ? AND ${total} > ? ORDER BY ${rowid} LIMIT 1`;
  return (db.prepare(sql).pluck().get(first, last, maxRowBytes) as bigint | undefined) ?? null;
}

/** Those that do not fit any more, in the order of the columns. */
function oversizedValues(
  db: Connection,
  schema: SourceSchema,
  rowid: bigint,
  maxRowBytes: number,
): OversizedValue[] {
  const omitted: OversizedValue[] = [];
  let total = 0;
  for (const { name: column } of schema.columns) {
    const sql = `SELECT typeof(${quoteName(column)}) AS type, octet_length(${quoteName(column)}) AS bytes
      FROM main.${quoteName(schema.table)} WHERE ${quoteName(schema.rowidName)} = ?`;
    const { type, bytes } = db.prepare(sql).get(rowid) as { type: string; bytes: bigint | null };
    if (type !== "text" && type !== "blob") continue;
    if (total + Number(bytes) > maxRowBytes) omitted.push({ rowid, column, type, bytes: Number(bytes) });
    else total += Number(bytes);
  }
  return omitted;
}

function hideValues(db: Connection, schema: SourceSchema, omitted: readonly OversizedValue[]): void {
  const hidden = new Set(omitted.map(({ column }) => column));
  const columns = schema.columns.map(({ name }) =>
    hidden.has(name) ? `NULL AS ${quoteName(name)}` : quoteName(name),
  );
  if (!schema.rowidIsDeclared)
    columns.push(`${quoteName(schema.rowidName)} AS ${quoteName(schema.rowidName)}`);
  const table = quoteName(schema.table);
  db.exec(`CREATE TEMP VIEW ${table} AS SELECT ${columns.join(", ")} FROM main.${table}`);
}

function rowsUpTo(db: Connection, schema: SourceSchema, { first }: RowRange, last: bigint): CountedRange {
  const sql = `SELECT max(${quoteName(schema.rowidName)}) FROM main.${quoteName(schema.table)}
    WHERE ${quoteName(schema.rowidName)} BETWEEN ? AND ?`;
  const end = db.prepare(sql).pluck().get(first, last) as bigint;
  return { first, last: end, rows: countRowsWithin(db, schema, { first, last: end }) };
}
