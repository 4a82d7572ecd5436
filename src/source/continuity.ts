import type { SourceSchema } from "../core/types.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";
import { hasRowsWithin, largestRowid } from "./range.ts";
import { areInPlace, isRedeclared, type RecentRows, unmistakableRows } from "./recent-rows.ts";
import { digestBasis, digestOf, digestOfValues, valuesOf } from "./row-digest.ts";

const SMALLEST_ROWID = -(2n ** 63n);

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
      /** The highest row that is shown to be still the one that was shipped; null where none is. */
      readonly resumeAfter: bigint | null;
      readonly reason: string;
    };

/** What is remembered of the rows up to the cursor. */
export interface Remembered {
  /** The highest first; the first one is the cursor's. */
  readonly positions: readonly Position[];
  /** The rows right before the cursor, the highest first. */
  readonly trail: readonly Position[];
  /** null: nothing. */
  readonly recent: RecentRows | null;
}

/**
 * Whether the rows behind the cursor follow those that were shipped, or whether the table or the database
 * was replaced, or its rowids given out again.
 *
 * A row that is gone proves nothing, since retention deletes old rows; but where no AUTOINCREMENT keeps
 * SQLite from it, rowids above the largest one left are given out again
 * (https://sqlite.org/autoinc.html).
 *
 * Where the column that rows are known by was dropped, renamed or retyped, the other columns have to show that the
 * rows are the same, since the table may as well have been made anew without it.
 */
export function checkContinuity(db: Connection, schema: SourceSchema, remembered: Remembered): Continuity {
  const { positions, trail, recent } = remembered;
  const [cursor, ...earlier] = positions;
  if (!cursor) return { continues: true };
  const found = compare(db, schema, cursor);
  if (found === "same") return { continues: true };
  const broken = (reason: string): Continuity => ({
    continues: false,
    resumeAfter: lastSameRow(db, schema, remembered),
    reason,
  });
  const isChanged = isRedeclared(schema, cursor.basis, recent);
  if (isChanged && !areInPlace(db, schema, recent) && hasRowsUpTo(db, schema, cursor.rowid))
    return broken(
      `${cursor.basis.join(", ")} was dropped, renamed or retyped, and nothing else shows that its rows are the same`,
    );
  const isOther = ({ rowid }: Position) => broken(`the row ${rowid} is not the one that was shipped`);
  if (found === "other" && !isChanged) return isOther(cursor);
  if (isGone(db, schema, cursor) && rowidsMayRestart(db, schema, cursor.rowid))
    return broken(`the rowids up to ${cursor.rowid} are free to be given out again`);
  if (isChanged) return { continues: true };
  const remaining = [...trail, ...earlier].find((position) => compare(db, schema, position) !== "unknown");
  if (remaining && compare(db, schema, remaining) === "other") return isOther(remaining);
  return { continues: true };
}

/**
 * The highest row that is shown to be the one that was shipped, with no other one at or below it: two tables may have
 * a timestamp in common here and there.
 */
function lastSameRow(
  db: Connection,
  schema: SourceSchema,
  { positions, trail, recent }: Remembered,
): bigint | null {
  const sameness = (position: Position) => compare(db, schema, position);
  const others = [...positions, ...trail].filter((position) => sameness(position) === "other");
  const same = positions.filter((position) => sameness(position) === "same").map(({ rowid }) => rowid);
  return [...same, ...unmistakableRows(db, schema, recent)]
    .filter((rowid) => !others.some((other) => other.rowid <= rowid))
    .reduce<bigint | null>((last, rowid) => (last !== null && last > rowid ? last : rowid), null);
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

function compare(db: Connection, schema: SourceSchema, position: Position): "same" | "other" | "unknown" {
  const names = new Set(schema.columns.map(({ name }) => name));
  const isThere = position.basis.every((column) => names.has(column));
  const digest = digestOf(db, schema, position.rowid, isThere ? position.basis : digestBasis(schema));
  if (digest === position.digest) return "same";
  // The digest is of values: those of a column that was renamed are the same, and those of another one prove nothing.
  return digest === null || !isThere ? "unknown" : "other";
}

function isGone(db: Connection, schema: SourceSchema, { rowid }: Position): boolean {
  return !hasRowsWithin(db, schema, { first: rowid, last: rowid });
}

function hasRowsUpTo(db: Connection, schema: SourceSchema, last: bigint): boolean {
  return hasRowsWithin(db, schema, { first: SMALLEST_ROWID, last });
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
