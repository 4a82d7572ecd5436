import { createHash } from "node:crypto";
import type { RowRange, SourceSchema } from "../core/types.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";
import type { Position } from "./continuity.ts";
import { CONTROL_TABLES } from "./discover.ts";
import { digestOf } from "./row-digest.ts";

/** How the rows of a table that declares no rowid were numbered when it was last read. */
export interface Numbering {
  /** The schema cookie, which VACUUM and each change of the schema raise; our own changes are taken off. */
  readonly schemaVersion: number;
  /** Of the text of the schema, which VACUUM leaves as it is. */
  readonly schemaDigest: string;
  /** The last row that was shipped, with all its values; null where it is gone. */
  readonly row: Position | null;
}

/** Watches one table for VACUUM. */
export interface NumberingWatch {
  /** To be remembered with the last row that was shipped; null where the rowid is declared, which VACUUM keeps. */
  note(schema: SourceSchema, lastRowid: bigint): Numbering | null;
  /**
   * Whether the rows that were shipped may have other rowids than then.
   *
   * @param behind the first rows behind a rowid that are shipped already
   */
  mayHaveChanged(
    schema: SourceSchema,
    before: Numbering | null,
    behind: (rowid: bigint) => RowRange | null,
  ): boolean;
}

/**
 * VACUUM gives the rows of a table without an INTEGER PRIMARY KEY the rowids 1, 2, 3, … in the order they had
 * (https://sqlite.org/lang_vacuum.html), by which unshipped rows can come to lie below the cursor. It raises the
 * schema cookie by one and changes no text of the schema, which tells it from one other statement, but not from
 * several. Where it may have run, the rowids are trusted only if the last row that was shipped is still where it
 * was: as order is kept and no rowid grows, those before it are then in their places too. It is known by all its
 * values, since many rows may have one timestamp, and only if no other row has the same ones.
 *
 * What the table's own rowids look like by now proves nothing: gaps may have come since, and where there are none
 * rows may have been deleted before.
 */
export function createNumberingWatch(db: Connection): NumberingWatch {
  const cookie = db.prepare("PRAGMA main.schema_version").pluck();
  let seen: { readonly cookie: unknown; readonly mark: Omit<Numbering, "row"> } | null = null;
  /** What was found once; the search for another row with the same values reads the whole table. */
  let proven: { readonly cookie: unknown; readonly digest: string } | null = null;

  function mark(): Omit<Numbering, "row"> {
    const now = cookie.get();
    if (seen === null || seen.cookie !== now) seen = { cookie: now, mark: readMark(db, Number(now)) };
    return seen.mark;
  }

  return {
    note(schema, lastRowid) {
      if (schema.rowidIsDeclared) return null;
      const basis = schema.columns.map(({ name }) => name);
      const digest = digestOf(db, schema, lastRowid, basis);
      return { ...mark(), row: digest === null ? null : { rowid: lastRowid, basis, digest } };
    },
    mayHaveChanged(schema, before, behind) {
      if (before === null) return false;
      const now = mark();
      const raisedBy = now.schemaVersion - before.schemaVersion;
      if (raisedBy === 0) return false;
      // Each change of the text takes one at least, so that none is left for VACUUM.
      if (raisedBy === 1 && now.schemaDigest !== before.schemaDigest) return false;
      const { row } = before;
      if (row === null || behind(row.rowid) !== null) return true;
      if (proven?.cookie === seen?.cookie && proven?.digest === row.digest) return false;
      if (!isInPlace(db, schema, row)) return true;
      proven = { cookie: seen?.cookie, digest: row.digest };
      return false;
    },
  };
}

function readMark(db: Connection, cookie: number): Omit<Numbering, "row"> {
  type Entry = {
    readonly type: string;
    readonly name: string;
    readonly tbl_name: string;
    readonly sql: string;
  };
  const entries = db
    .prepare(
      "SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name",
    )
    .all() as Entry[];
  // The first AUTOINCREMENT in a database, which may be ours, makes sqlite_sequence as well.
  const others = entries.filter(
    ({ name, tbl_name }) => !CONTROL_TABLES.has(tbl_name.toLowerCase()) && name !== "sqlite_sequence",
  );
  const ours = entries.filter(({ tbl_name }) => CONTROL_TABLES.has(tbl_name.toLowerCase()));
  return {
    schemaVersion: cookie - ours.length,
    schemaDigest: createHash("sha256").update(JSON.stringify(others)).digest("hex").slice(0, 32),
  };
}

function isInPlace(db: Connection, schema: SourceSchema, row: Position): boolean {
  const names = new Set(schema.columns.map(({ name }) => name));
  if (!row.basis.every((column) => names.has(column))) return false;
  if (digestOf(db, schema, row.rowid, row.basis) !== row.digest) return false;
  const values = (table: string) => row.basis.map((column) => `${table}.${quoteName(column)}`).join(", ");
  const table = `main.${quoteName(schema.table)}`;
  const twins = db.prepare(
    `SELECT 1 FROM ${table} AS mine, ${table} AS other
     WHERE mine.${quoteName(schema.rowidName)} = ? AND (${values("mine")}) IS (${values("other")}) LIMIT 2`,
  );
  return twins.all(row.rowid).length === 1;
}
