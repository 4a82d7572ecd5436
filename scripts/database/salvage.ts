import { writeFileSync } from "node:fs";
import Database from "better-sqlite3";
import { UploaderError } from "../../src/core/errors.ts";
import { type Connection, describeSqliteError } from "../../src/sqlite/open.ts";
import { type Gap, salvageTable } from "./salvage-table.ts";

export interface SalvagedTable {
  readonly table: string;
  /** Ranges of rowids that could not be read. */
  readonly gaps: readonly Gap[];
  /** Why it is not there at all; null: it is. */
  readonly leftOut: string | null;
}

interface SchemaEntry {
  readonly type: string;
  readonly name: string;
  readonly sql: string;
}

/**
 * Copies each table of a damaged database up to the damage and behind it, with the rowids it has: the damaged one and
 * the new one on one connection, so that no value goes through JavaScript. Indexes, views and triggers are made
 * anew; a table without rowids is copied up to the damage, a virtual one is left out.
 *
 * @throws {UploaderError} SOURCE_UNREADABLE where not even the schema can be read
 */
export function salvageDatabase(from: string, to: string): SalvagedTable[] {
  // Where the old file must exist, SQLite attaches only what exists too.
  writeFileSync(to, "");
  const db = new Database(from, { fileMustExist: true });
  try {
    const schema = readSchema(db);
    db.pragma("trusted_schema = OFF");
    db.prepare("ATTACH ? AS made").run(to);
    db.pragma("made.synchronous = OFF");
    const salvaged = schema.filter(({ type }) => type === "table").map((entry) => salvageEntry(db, entry));
    copySequences(db);
    for (const type of ["index", "view", "trigger"])
      for (const entry of schema.filter((candidate) => candidate.type === type)) makeEntry(db, entry);
    for (const pragma of ["user_version", "application_id"])
      db.pragma(`made.${pragma} = ${Number(db.pragma(pragma, { simple: true }))}`);
    return salvaged;
  } catch (error) {
    throw describeSqliteError(error, from);
  } finally {
    db.close();
  }
}

function readSchema(db: Connection): SchemaEntry[] {
  try {
    return db
      .prepare(
        `SELECT type, name, sql FROM sqlite_schema
         WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'`,
      )
      .all() as SchemaEntry[];
  } catch (error) {
    throw new UploaderError({
      code: "SOURCE_UNREADABLE",
      message: `The schema, at the beginning of the file, cannot be read: ${(error as Error).message}.`,
      hint: "Restore a back-up; or put the first page of a copy from before the damage, with the same schema, in its place, and try again. The database is as it was.",
      cause: error,
    });
  }
}

function salvageEntry(db: Connection, entry: SchemaEntry): SalvagedTable {
  if (/^\s*CREATE\s+VIRTUAL\b/i.test(entry.sql))
    return { table: entry.name, gaps: [], leftOut: "a virtual table" };
  const fault = makeEntry(db, entry);
  if (fault !== null) return { table: entry.name, gaps: [], leftOut: fault };
  return { table: entry.name, gaps: salvageTable(db, entry.name), leftOut: null };
}

/** Runs the DDL of a table, index, view or trigger on the new database; gives back why it cannot be, or null. */
function makeEntry(db: Connection, { sql }: SchemaEntry): string | null {
  const place = /^(\s*CREATE\s+(?:UNIQUE\s+)?(?:TABLE|INDEX|VIEW|TRIGGER)\s+)/i;
  if (!place.test(sql)) return "its definition is not one that SQLite stores";
  try {
    db.exec(sql.replace(place, "$1made."));
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

/** So that AUTOINCREMENT does not give again what it gave: the uploader would take such rows for shipped ones. */
function copySequences(db: Connection): void {
  const hasSequences = db
    .prepare("SELECT count(*) FROM made.sqlite_schema WHERE name = 'sqlite_sequence'")
    .pluck();
  if (hasSequences.get() === 0) return;
  try {
    const old = db
      .prepare("SELECT name, max(seq) AS seq FROM main.sqlite_sequence GROUP BY name")
      .safeIntegers()
      .all() as { name: string; seq: bigint }[];
    for (const { name, seq } of old) raiseSequence(db, name, seq);
  } catch (error) {
    // Without it the largest rowid that was saved counts, which SQLite has noted itself.
    if (!(error instanceof Database.SqliteError)) throw error;
  }
}

function raiseSequence(db: Connection, table: string, sequence: bigint): void {
  const raised = db
    .prepare("UPDATE made.sqlite_sequence SET seq = max(seq, @sequence) WHERE name = @table")
    .run({ table, sequence });
  if (raised.changes > 0) return;
  db.prepare("INSERT INTO made.sqlite_sequence (name, seq) VALUES (@table, @sequence)").run({
    table,
    sequence,
  });
}
