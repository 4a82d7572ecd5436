import { UploaderError } from "../core/errors.ts";
import type { Connection } from "../sqlite/open.ts";

/** The uploader's own tables, which are never sources. */
export const CONTROL_TABLES = new Set(["pipeline_config", "pipeline_executions"]);

interface TableListRow {
  readonly name: string;
  readonly type: "table" | "view" | "virtual" | "shadow";
  /** 1 for WITHOUT ROWID */
  readonly wr: number;
}

/**
 * The tables to ship: those that are named, all candidates for `*`, else the only candidate.
 *
 * @throws {UploaderError} SOURCE_TABLE_MISSING, SOURCE_AMBIGUOUS or SOURCE_UNSUPPORTED
 */
export function discoverTables(db: Connection, wanted: readonly string[] | "*" | null): string[] {
  const listed = listTables(db);
  const names = listed.filter(hasRowid).map(({ name }) => name);

  if (Array.isArray(wanted)) return wanted.map((name) => named(name, listed, names));
  if (names.length === 0) throw nothingToShip(db, listed);
  if (wanted === "*" || names.length === 1) return names;
  throw new UploaderError({
    code: "SOURCE_AMBIGUOUS",
    message: `${db.name} has several tables that could be shipped: ${names.join(", ")}.`,
    hint: 'Name one or more with `sqlite_table` (SQLITE_TABLE_NAME, --table), or all of them with "*".',
  });
}

/** The WITHOUT ROWID tables, which are left out where no table is named. */
export function tablesWithoutRowid(db: Connection): string[] {
  return listTables(db)
    .filter((table) => table.type === "table" && !hasRowid(table))
    .map(({ name }) => name);
}

/** What the way out is where there is no rowid. */
export const GIVE_IT_A_ROWID =
  "make it again without the words WITHOUT ROWID, best with an INTEGER PRIMARY KEY, and copy its rows there";

/** All but SQLite's own and ours, by name. */
function listTables(db: Connection): TableListRow[] {
  return (db.pragma("main.table_list") as TableListRow[])
    .filter(
      ({ name }) => !name.toLowerCase().startsWith("sqlite_") && !CONTROL_TABLES.has(name.toLowerCase()),
    )
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

function hasRowid({ type, wr }: TableListRow): boolean {
  return type === "table" && Number(wr) === 0;
}

function named(name: string, listed: readonly TableListRow[], candidates: readonly string[]): string {
  const found = listed.find((table) => table.name.toLowerCase() === name.toLowerCase());
  if (!found)
    throw new UploaderError({
      code: "SOURCE_TABLE_MISSING",
      message: `There is no table ${name}.`,
      hint:
        candidates.length > 0
          ? `Tables there are: ${candidates.join(", ")}.`
          : "The database has no tables yet; start the sensor.",
    });
  if (!hasRowid(found))
    throw new UploaderError({
      code: "SOURCE_UNSUPPORTED",
      message: `${describeKind(found)}, which has no rowid to follow.`,
      hint: wayOut([found]),
    });
  return found.name;
}

function nothingToShip(db: Connection, listed: readonly TableListRow[]): UploaderError {
  const others = listed.filter(({ type }) => type !== "shadow");
  if (others.length === 0)
    return new UploaderError({
      code: "SOURCE_TABLE_MISSING",
      message: `${db.name} has no table that can be shipped.`,
      hint: "Start the sensor, which makes its table, or correct the setting `sqlite`.",
    });
  return new UploaderError({
    code: "SOURCE_UNSUPPORTED",
    message: `${db.name} has no table that can be shipped, because none has a rowid to follow: ${others.map(describeKind).join(", ")}.`,
    hint: wayOut(others),
  });
}

function describeKind({ name, type }: TableListRow): string {
  return `${name} is ${type === "table" ? "a WITHOUT ROWID table" : `a ${type}${type === "view" ? "" : " table"}`}`;
}

function wayOut(tables: readonly TableListRow[]): string {
  return tables.some(({ type }) => type === "table")
    ? `To ship a WITHOUT ROWID table, ${GIVE_IT_A_ROWID}.`
    : "Ship the table that it is made from.";
}
