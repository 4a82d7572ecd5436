import { UploaderError } from "../core/errors.ts";
import type { Connection } from "../sqlite/open.ts";

/** The uploader's own tables, which are never sources. */
const CONTROL_TABLES = new Set(["pipeline_config", "pipeline_executions"]);

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
  const listed = (db.pragma("main.table_list") as TableListRow[]).filter(
    ({ name }) => !name.toLowerCase().startsWith("sqlite_") && !CONTROL_TABLES.has(name.toLowerCase()),
  );
  const candidates = listed.filter(({ type, wr }) => type === "table" && Number(wr) === 0);
  const names = candidates.map(({ name }) => name).sort();

  if (Array.isArray(wanted)) return wanted.map((name) => named(name, listed, names));
  if (names.length === 0)
    throw new UploaderError({
      code: "SOURCE_TABLE_MISSING",
      message: `${db.name} has no table that can be shipped.`,
      hint: "Start the sensor, which makes its table, or correct the setting `sqlite`.",
    });
  if (wanted === "*" || names.length === 1) return names;
  throw new UploaderError({
    code: "SOURCE_AMBIGUOUS",
    message: `${db.name} has several tables that could be shipped: ${names.join(", ")}.`,
    hint: 'Name one or more with `sqlite_table` (SQLITE_TABLE_NAME, --table), or all of them with "*".',
  });
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
  if (found.type !== "table" || Number(found.wr) !== 0)
    throw new UploaderError({
      code: "SOURCE_UNSUPPORTED",
      message: `${found.name} is ${found.type === "table" ? "a WITHOUT ROWID table" : `a ${found.type}`}, which has no rowid to follow.`,
      hint: "Ship the table that it is made from, or declare it with an INTEGER PRIMARY KEY.",
    });
  return found.name;
}
