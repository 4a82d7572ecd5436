import { UploaderError } from "../core/errors.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";
import { columnsOf, type FoundColumn } from "./table-columns.ts";
import { readControl, writeControl } from "./transaction.ts";

/**
 * Makes the control tables and their indexes where they are missing, and adds the columns that an older
 * system's tables lack. Where nothing is missing it writes nothing. Inside a transaction of the caller it
 * takes part in it, which must then be an immediate one. Whoever writes to one table alone asks for that one,
 * so that a statistic that cannot be kept does not stand in the way of a change of type.
 *
 * @throws {UploaderError} CONTROL_UNAVAILABLE where a table of that name cannot serve; SOURCE_LOCKED and
 * SOURCE_UNREADABLE where the database cannot be written
 */
export function ensureControlTables(
  db: Connection,
  tables: readonly ControlTable[] = [CONFIG_TABLE, EXECUTIONS_TABLE],
): void {
  const missing = () => readControl(db, () => tables.flatMap((table) => missingFrom(db, table)));
  if (missing().length === 0) return;
  writeControl(db, () => {
    for (const sql of missing()) db.prepare(sql).run();
  });
}

/**
 * The columns of a control table as a subquery that can be selected from, whatever columns the table has:
 * one that is missing is null. Null where there is no such table.
 *
 * @throws {UploaderError} CONTROL_UNAVAILABLE where a required column is missing
 */
export function controlSubquery(db: Connection, table: ControlTable): string | null {
  const found = columnsOf(db, table.name);
  if (found === null) return null;
  for (const [column, { required }] of Object.entries(table.columns))
    if (required && !found.has(column)) throw unusable(db, table, `it has no column ${column}`);
  const list = Object.keys(table.columns).map((column) =>
    found.has(column) ? quoteName(column) : `NULL AS ${quoteName(column)}`,
  );
  return `(SELECT ${list.join(", ")} FROM main.${quoteName(table.name)})`;
}

export interface ControlTable {
  readonly name: string;
  /** `required`: an existing table without it cannot serve; the others are added to it. */
  readonly columns: Readonly<Record<string, { readonly definition: string; readonly required?: true }>>;
  /** What follows CREATE, by name. */
  readonly indexes: Readonly<Record<string, string>>;
}

const ID = { definition: "INTEGER PRIMARY KEY AUTOINCREMENT", required: true } as const;

export const CONFIG_TABLE: ControlTable = {
  name: "pipeline_config",
  columns: {
    id: ID,
    pipeline_type: { definition: "TEXT NOT NULL", required: true },
    updated_at: { definition: "TEXT NOT NULL" },
    updated_by: { definition: "TEXT NOT NULL" },
    reason: { definition: "TEXT" },
    expires_at: { definition: "TEXT" },
  },
  indexes: {},
};

export const EXECUTIONS_TABLE: ControlTable = {
  name: "pipeline_executions",
  columns: {
    id: ID,
    config_id: { definition: "INTEGER NOT NULL" },
    pipeline_type: { definition: "TEXT NOT NULL" },
    table_name: { definition: "TEXT NOT NULL" },
    bucket: { definition: "TEXT NOT NULL" },
    object_key: { definition: "TEXT NOT NULL" },
    records: { definition: "INTEGER NOT NULL" },
    bytes: { definition: "INTEGER NOT NULL" },
    first_rowid: { definition: "INTEGER NOT NULL" },
    last_rowid: { definition: "INTEGER NOT NULL" },
    started_at: { definition: "TEXT NOT NULL" },
    completed_at: { definition: "TEXT" },
    status: { definition: "TEXT NOT NULL" },
    error: { definition: "TEXT" },
  },
  indexes: {
    pipeline_executions_object:
      "UNIQUE INDEX main.pipeline_executions_object ON pipeline_executions(bucket, object_key)",
    pipeline_executions_started: "INDEX main.pipeline_executions_started ON pipeline_executions(started_at)",
  },
};

/** The statements that make or complete a table. */
function missingFrom(db: Connection, table: ControlTable): string[] {
  const columns = Object.entries(table.columns);
  const found = columnsOf(db, table.name);
  if (found === null) {
    const list = columns.map(([name, { definition }]) => `${name} ${definition}`).join(", ");
    return [
      `CREATE TABLE main.${table.name}(${list})`,
      ...Object.values(table.indexes).map((sql) => `CREATE ${sql}`),
    ];
  }
  assertUsable(db, table, found);
  const indexes = new Set(
    db
      .prepare("SELECT name FROM main.sqlite_schema WHERE type = 'index' AND tbl_name = ? COLLATE NOCASE")
      .pluck()
      .all(table.name) as string[],
  );
  return [
    // NOT NULL cannot be added to rows that exist.
    ...columns
      .filter(([name]) => !found.has(name))
      .map(
        ([name, { definition }]) =>
          `ALTER TABLE main.${table.name} ADD COLUMN ${name} ${definition.replace(" NOT NULL", "")}`,
      ),
    ...Object.entries(table.indexes)
      .filter(([name]) => !indexes.has(name))
      .map(([, sql]) => `CREATE ${sql}`),
  ];
}

/** Finds before the first row is written what would make writing fail, or order revisions wrongly. */
function assertUsable(db: Connection, table: ControlTable, found: Map<string, FoundColumn>): void {
  const kind = db
    .prepare(
      "SELECT type FROM main.sqlite_schema WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')",
    )
    .pluck()
    .get(table.name);
  if (kind !== "table") throw unusable(db, table, "it is a view");
  for (const [name, { required }] of Object.entries(table.columns))
    if (required && !found.has(name)) throw unusable(db, table, `it has no column ${name}`);
  for (const [name, column] of found) {
    const isId = name === "id";
    if (isId !== column.primaryKeyPosition > 0 || (isId && column.type !== "INTEGER"))
      throw unusable(db, table, "its primary key is not id INTEGER PRIMARY KEY");
    const ours = Object.hasOwn(table.columns, name);
    if (ours && column.generated) throw unusable(db, table, `its column ${name} is generated`);
    if (!ours && column.notNull && !column.hasDefault)
      throw unusable(db, table, `its column ${name} must not be null and has no default`);
  }
}

function unusable(db: Connection, table: ControlTable, why: string): UploaderError {
  return new UploaderError({
    code: "CONTROL_UNAVAILABLE",
    message: `The table ${table.name} in ${db.name} cannot serve as a control table: ${why}.`,
    hint: `Rename that table, or set pipeline_db to another file, where the control tables can be made.`,
  });
}
