import { UploaderError } from "../core/errors.ts";
import type { SourceColumn, SourceSchema } from "../core/types.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";
import { columnType } from "./column-types.ts";
import { detectTimestampColumn } from "./timestamp-column.ts";

export interface InspectOptions {
  /** The configured column; null: detect it. */
  readonly timestampColumn: string | null;
}

interface TableInfoRow {
  readonly name: string;
  readonly type: string;
  readonly notnull: bigint | number;
  readonly pk: bigint | number;
  /** 0 ordinary, 1 hidden column of a virtual table, 2 and 3 generated */
  readonly hidden: bigint | number;
}

/**
 * What a table looks like in the connection's current transaction.
 *
 * @throws {UploaderError} SOURCE_TABLE_MISSING, SOURCE_COLUMN_MISSING or SOURCE_UNSUPPORTED
 */
export function inspectTable(db: Connection, table: string, options: InspectOptions): SourceSchema {
  const rows = db.pragma(`main.table_xinfo(${quoteName(table)})`) as TableInfoRow[];
  if (rows.length === 0)
    throw new UploaderError({
      code: "SOURCE_TABLE_MISSING",
      message: `The table ${table} is not there (any more).`,
      hint: "Start the sensor, which makes it, or correct the setting `sqlite_table`.",
    });
  const columns = rows.filter(({ hidden }) => Number(hidden) !== 1).map(sourceColumn);
  const ddl = tableDdl(db, table);
  const rowidColumn = declaredRowid(db, table, columns);
  return {
    table,
    columns,
    rowidName: rowidColumn ?? hiddenRowidName(table, columns),
    rowidIsDeclared: rowidColumn !== null,
    autoincrement: rowidColumn !== null && /\bAUTOINCREMENT\b/i.test(ddl.replace(NOT_KEYWORDS, " ")),
    timestampColumn: timestampColumn(table, columns, options.timestampColumn),
  };
}

/** Whether two looks at a table saw the same: objects never mix schemas. */
export function isSameSchema(a: SourceSchema, b: SourceSchema): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function sourceColumn(row: TableInfoRow): SourceColumn {
  return {
    name: row.name,
    declaredType: row.type,
    type: columnType(row.type),
    primaryKeyPosition: Number(row.pk),
    notNull: Number(row.notnull) !== 0,
  };
}

/** Comments, texts and quoted names, in which a word means nothing to SQLite. */
const NOT_KEYWORDS = /--[^\n]*|\/\*[\s\S]*?\*\/|'[^']*'|"[^"]*"|`[^`]*`|\[[^\]]*\]/g;

function tableDdl(db: Connection, table: string): string {
  const statement = db.prepare("SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?");
  return (statement.pluck().get(table) as string | undefined) ?? "";
}

/**
 * The INTEGER PRIMARY KEY, which is the rowid (https://sqlite.org/lang_createtable.html#rowid). `INTEGER
 * PRIMARY KEY DESC` looks alike and is none; only such a key has an index of its own.
 */
function declaredRowid(db: Connection, table: string, columns: readonly SourceColumn[]): string | null {
  const key = columns.filter(({ primaryKeyPosition }) => primaryKeyPosition > 0);
  const [only] = key;
  if (key.length !== 1 || only?.declaredType.toUpperCase() !== "INTEGER") return null;
  const indexes = db.pragma(`main.index_list(${quoteName(table)})`) as { readonly origin: string }[];
  return indexes.some(({ origin }) => origin === "pk") ? null : only.name;
}

function hiddenRowidName(table: string, columns: readonly SourceColumn[]): string {
  const taken = new Set(columns.map(({ name }) => name.toLowerCase()));
  const free = ["rowid", "_rowid_", "oid"].find((name) => !taken.has(name));
  if (free) return free;
  throw new UploaderError({
    code: "SOURCE_UNSUPPORTED",
    message: `The columns of ${table} hide all three names of its rowid (rowid, _rowid_, oid).`,
    hint: "Rename one of these columns, or declare one as INTEGER PRIMARY KEY.",
  });
}

function timestampColumn(
  table: string,
  columns: readonly SourceColumn[],
  wanted: string | null,
): string | null {
  if (wanted === null) return detectTimestampColumn(columns);
  const found = columns.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
  if (found) return found.name;
  throw new UploaderError({
    code: "SOURCE_COLUMN_MISSING",
    message: `The table ${table} has no column ${wanted}, which \`timestamp_col\` names.`,
    hint: `Its columns are: ${columns.map(({ name }) => name).join(", ")}.`,
  });
}
