import { createHash } from "node:crypto";
import type { SourceSchema } from "../core/types.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";
import { largestRowid } from "./range.ts";

const LONG_BYTES = 1_000_000;

/** A row that was shipped, remembered so that a source that was replaced is noticed. */
export interface Position {
  readonly rowid: bigint;
  /** The columns that the digest is of: the timestamp, or the key, or none. */
  readonly basis: readonly string[];
  readonly digest: string;
}

export type Continuity =
  | { readonly continues: true }
  | {
      readonly continues: false;
      /** The highest position whose row is still the one that was shipped; null where none is. */
      readonly resumeAfter: bigint | null;
      readonly reason: string;
    };

/**
 * Whether the rows behind the cursor follow those that were shipped, or whether the table or the database
 * was replaced, or its rowids given out again.
 *
 * A row that is gone proves nothing, since retention deletes old rows; but where no AUTOINCREMENT keeps
 * SQLite from it, rowids above the largest one left are given out again
 * (https://sqlite.org/autoinc.html).
 *
 * @param positions the highest first; the first one is the cursor's
 * @param trail the rows right before the cursor, the highest first
 */
export function checkContinuity(
  db: Connection,
  schema: SourceSchema,
  positions: readonly Position[],
  trail: readonly Position[] = [],
): Continuity {
  const [cursor, ...earlier] = positions;
  if (!cursor) return { continues: true };
  const found = compare(db, schema, cursor);
  if (found === "same") return { continues: true };
  const broken = (reason: string): Continuity => ({
    continues: false,
    resumeAfter: positions.find((position) => compare(db, schema, position) === "same")?.rowid ?? null,
    reason,
  });
  if (found === "other") return broken(`the row ${cursor.rowid} is not the one that was shipped`);
  if (rowidsMayRestart(db, schema, cursor.rowid))
    return broken(`the rowids up to ${cursor.rowid} are free to be given out again`);
  const remaining = [...trail, ...earlier].find((position) => compare(db, schema, position) !== "unknown");
  if (remaining && compare(db, schema, remaining) === "other")
    return broken(`the row ${remaining.rowid} is not the one that was shipped`);
  return { continues: true };
}

/**
 * The position of a row that is there.
 *
 * The digest is of the timestamp, else of the key, never of columns that a sensor may update later.
 */
export function positionAt(db: Connection, schema: SourceSchema, rowid: bigint): Position {
  const basis = digestBasis(schema);
  const digest = digestOf(db, schema, rowid, basis);
  if (digest === null) throw new Error(`row ${rowid} of ${schema.table} vanished within a transaction`);
  return { rowid, basis, digest };
}

/**
 * The position of a row that was shipped, there or not; where it is gone, a row that comes to be in its place
 * is another one.
 */
export function shippedPosition(db: Connection, schema: SourceSchema, rowid: bigint): Position {
  const basis = digestBasis(schema);
  return { rowid, basis, digest: digestOf(db, schema, rowid, basis) ?? "gone" };
}

/** The positions of the rows before one, the highest first. */
export function positionsBefore(
  db: Connection,
  schema: SourceSchema,
  rowid: bigint,
  limit: number,
): Position[] {
  const basis = digestBasis(schema);
  const name = quoteName(schema.rowidName);
  const sql = `SELECT ${name}, ${valuesOf(basis)} FROM main.${quoteName(schema.table)}
    WHERE ${name} < ? ORDER BY ${name} DESC LIMIT ?`;
  const rows = db.prepare(sql).raw().all(rowid, limit) as [bigint, ...unknown[]][];
  return rows.map(([before, ...values]) => ({ rowid: before, basis, digest: digestOfValues(values) }));
}

function digestBasis(schema: SourceSchema): string[] {
  if (schema.timestampColumn !== null) return [schema.timestampColumn];
  return schema.columns
    .filter(({ primaryKeyPosition, name }) => primaryKeyPosition > 0 && name !== schema.rowidName)
    .map(({ name }) => name);
}

function compare(db: Connection, schema: SourceSchema, position: Position): "same" | "other" | "unknown" {
  const names = new Set(schema.columns.map(({ name }) => name));
  // The digest is of values: those of a column that was renamed are the same, those of another table are not.
  const isThere = position.basis.every((column) => names.has(column));
  const basis = isThere ? position.basis : digestBasis(schema);
  if (basis.length === 0 && !isThere) return "unknown";
  const digest = digestOf(db, schema, position.rowid, basis);
  if (digest === null) return "unknown";
  return digest === position.digest ? "same" : "other";
}

/** Of the values of these columns; null where the row is gone. */
export function digestOf(
  db: Connection,
  schema: SourceSchema,
  rowid: bigint,
  basis: readonly string[],
): string | null {
  const sql = `SELECT ${valuesOf(basis)} FROM main.${quoteName(schema.table)}
    WHERE ${quoteName(schema.rowidName)} = ?`;
  const row = db.prepare(sql).raw().get(rowid) as unknown[] | undefined;
  return row === undefined ? null : digestOfValues(row);
}

/** Whether a digest is of nothing but NULLs, which any two rows may have in common. */
export function isOfNulls(digest: string, basis: readonly string[]): boolean {
  return digest === digestOfValues(basis.map(() => "NULL"));
}

/** Not one text: SQLite lets expressions be nested 1,000 deep, and a table have more columns. */
function valuesOf(basis: readonly string[]): string {
  return basis.length === 0 ? "''" : basis.map((column) => quoted(quoteName(column))).join(", ");
}

function digestOfValues(values: readonly unknown[]): string {
  return createHash("sha256").update(values.join(",")).digest("hex").slice(0, 32);
}

/** A long value by its length, since its text could be longer than SQLite hands out. */
function quoted(column: string): string {
  return `CASE WHEN octet_length(${column}) > ${LONG_BYTES} THEN octet_length(${column}) ELSE quote(${column}) END`;
}

/** Whether SQLite may give rowids up to this one to new rows. */
export function rowidsMayRestart(db: Connection, schema: SourceSchema, cursor: bigint): boolean {
  if (schema.autoincrement) {
    const statement = db.prepare("SELECT seq FROM main.sqlite_sequence WHERE name = ?").pluck();
    const sequence = statement.get(schema.table) as bigint | undefined;
    return sequence === undefined || sequence < cursor;
  }
  const largest = largestRowid(db, schema);
  return largest === null || largest < cursor;
}
