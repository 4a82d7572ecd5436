import { createHash } from "node:crypto";
import Database from "better-sqlite3";
import { quoteName } from "../../src/sqlite/names.ts";

/** What the uploader must leave as it is. */
export interface SourceNote {
  readonly journalMode: unknown;
  readonly schema: string;
  /** By table and rowid: what is stored. */
  readonly rows: ReadonlyMap<string, ReadonlyMap<bigint | string, string>>;
}

/** Values beyond this, which better-sqlite3 may not be able to read, are told by their type and size. */
const MOST_BYTES = 200_000_000;

/** All tables of a source but the uploader's own, and its schema and journal mode. */
export function noteSource(
  path: string,
  given?: Database.Database,
  leaveOut: readonly string[] = [],
): SourceNote {
  const db = given ?? new Database(path, { readonly: true });
  try {
    const schema = db
      .prepare(
        `SELECT type, name, sql FROM sqlite_schema
         WHERE tbl_name NOT IN ('pipeline_config', 'pipeline_executions') AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'
         ORDER BY type, name`,
      )
      .all() as { type: string; name: string }[];
    const tables = schema.filter(({ type, name }) => type === "table" && !leaveOut.includes(name));
    const rows = new Map<string, Map<bigint | string, string>>(
      tables.map(({ name }) => [name, noteRows(db, name)]),
    );
    const has = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'sqlite_sequence'").pluck();
    if (has.get() === 1) rows.set("sqlite_sequence", noteSequences(db));
    return {
      journalMode: db.pragma("journal_mode", { simple: true }),
      schema: JSON.stringify(schema),
      rows,
    };
  } finally {
    if (!given) db.close();
  }
}

function noteRows(db: Database.Database, table: string): Map<bigint, string> {
  const columns = (db.pragma(`table_info(${quoteName(table)})`) as { name: string }[]).map(({ name }) =>
    quoteName(name),
  );
  const cells = columns.map(
    (column) =>
      `typeof(${column}), CASE WHEN typeof(${column}) IN ('integer', 'real') THEN ${column}
       WHEN octet_length(${column}) > ${MOST_BYTES} THEN octet_length(${column})
       ELSE CAST(${column} AS BLOB) END`,
  );
  const rows = db
    .prepare(`SELECT rowid, ${cells.join(", ")} FROM ${quoteName(table)}`)
    .safeIntegers()
    .raw()
    .iterate() as IterableIterator<[bigint, ...unknown[]]>;
  const noted = new Map<bigint, string>();
  for (const [rowid, ...values] of rows) {
    // Bytes with their number before them, so that no other values make the same text.
    const texts = values.map((value) =>
      Buffer.isBuffer(value) ? `${value.length} ${value.toString("latin1")}` : String(value),
    );
    noted.set(rowid, shortened(texts.join("|")));
  }
  return noted;
}

/** A hash takes longer than a comparison of what most rows hold. */
function shortened(row: string): string {
  if (row.length <= 1_000) return row;
  return createHash("sha256").update(row, "latin1").digest("base64");
}

function noteSequences(db: Database.Database): Map<string, string> {
  const rows = db
    .prepare(
      "SELECT name, CAST(seq AS TEXT) FROM sqlite_sequence WHERE name NOT LIKE 'pipeline\\_%' ESCAPE '\\'",
    )
    .raw()
    .all() as [string, string][];
  return new Map(rows);
}

/** I6: what the source is, against what it has to be. */
export function compareSources(wanted: SourceNote, found: SourceNote): string[] {
  const violations: string[] = [];
  if (found.journalMode !== wanted.journalMode)
    violations.push(`I6: the journal mode is ${found.journalMode} instead of ${wanted.journalMode}`);
  if (found.schema !== wanted.schema)
    violations.push(`I6: the schema is ${found.schema} instead of ${wanted.schema}`);
  for (const table of new Set([...wanted.rows.keys(), ...found.rows.keys()])) {
    const [before, after] = [wanted.rows.get(table), found.rows.get(table)];
    const rowids = new Set([...(before?.keys() ?? []), ...(after?.keys() ?? [])]);
    const changed = [...rowids].filter((rowid) => before?.get(rowid) !== after?.get(rowid));
    if (changed.length > 0)
      violations.push(`I6: ${changed.length} rows of ${table} have changed, such as ${changed[0]}`);
  }
  return violations;
}

interface CheckedSource {
  readonly database: string;
  readonly source: SourceNote;
  readonly damagedTables?: readonly string[] | undefined;
}

/** I6, of a source that has to be what the note says, but for tables whose pages the test has overwritten. */
export function describeSource({ database, source, damagedTables = [] }: CheckedSource): string[] {
  const rows = new Map([...source.rows].filter(([table]) => !damagedTables.includes(table)));
  const violations = compareSources({ ...source, rows }, noteSource(database, undefined, damagedTables));
  if (damagedTables.length > 0) return violations;
  const db = new Database(database, { readonly: true });
  const integrity = db.pragma("integrity_check", { simple: true });
  db.close();
  return integrity === "ok" ? violations : [...violations, `I6: integrity_check: ${integrity}`];
}
