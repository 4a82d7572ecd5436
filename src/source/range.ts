import type { RowRange, SourceSchema } from "../core/types.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";

export interface CountedRange extends RowRange {
  readonly rows: number;
}

/** The next rows behind the cursor (null: from the first), at most `limit`; null where there are none. */
export function nextRange(
  db: Connection,
  schema: SourceSchema,
  cursor: bigint | null,
  limit: number,
): CountedRange | null {
  const rowid = quoteName(schema.rowidName);
  const row = db
    .prepare(
      `SELECT min(r) AS first, max(r) AS last, count(*) AS rows FROM (
         SELECT ${rowid} AS r FROM main.${quoteName(schema.table)}
         ${cursor === null ? "" : `WHERE ${rowid} > @cursor`} ORDER BY ${rowid} LIMIT @limit)`,
    )
    .get(cursor === null ? { limit } : { cursor, limit }) as {
    first: bigint | null;
    last: bigint | null;
    rows: bigint;
  };
  if (row.first === null || row.last === null) return null;
  return { first: row.first, last: row.last, rows: Number(row.rows) };
}

/** The largest rowid there is; null in an empty table. */
export function largestRowid(db: Connection, schema: SourceSchema): bigint | null {
  const sql = `SELECT max(${quoteName(schema.rowidName)}) FROM main.${quoteName(schema.table)}`;
  return db.prepare(sql).pluck().get() as bigint | null;
}

/** About how many rows lie behind the cursor, from the rowids alone: exact where none is missing. */
export function estimateRows(db: Connection, schema: SourceSchema, cursor: bigint | null): number {
  const largest = largestRowid(db, schema);
  const first = nextRange(db, schema, cursor, 1)?.first;
  return largest === null || first === undefined ? 0 : Number(largest - first + 1n);
}

/** How many rows lie behind the cursor. It scans them: for people, not for the flow. */
export function countRows(db: Connection, schema: SourceSchema, cursor: bigint | null): number {
  const rowid = quoteName(schema.rowidName);
  const where = cursor === null ? "" : `WHERE ${rowid} > @cursor`;
  const statement = db.prepare(`SELECT count(*) FROM main.${quoteName(schema.table)} ${where}`).pluck();
  return Number(statement.get(cursor === null ? {} : { cursor }) as bigint);
}

/**
 * The bytes of a text as SQLite stores it, if they are not valid in the database's encoding; null if they
 * are. For UTF-8 that is what RFC 3629 allows, for UTF-16 text without a lone surrogate.
 */
export function readInvalidText(
  db: Connection,
  schema: SourceSchema,
  rowid: bigint,
  column: string,
): Buffer | null {
  const sql = `SELECT CAST(${quoteName(column)} AS BLOB) FROM main.${quoteName(schema.table)} WHERE ${quoteName(schema.rowidName)} = ?`;
  const bytes = db.prepare(sql).pluck().get(rowid) as Buffer;
  // Not `db.pragma`, which refuses to work while the rows of a statement are being taken.
  const encoding = db.prepare("PRAGMA encoding").pluck().get() as string;
  return decodes(bytes, encoding) ? null : bytes;
}

function decodes(bytes: Buffer, encoding: string): boolean {
  if (encoding === "UTF-16be") bytes = Buffer.from(bytes).swap16();
  try {
    new TextDecoder(encoding === "UTF-8" ? "utf-8" : "utf-16le", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
