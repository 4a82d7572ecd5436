import Database from "better-sqlite3";
import fc from "fast-check";
import type {
  ColumnType,
  PipelineQuery,
  QuerySettings,
  RouteQuery,
  RowRange,
  SourceColumn,
  SourceSchema,
  SqlValue,
} from "../../src/core/types.ts";
import { registerFunctions } from "../../src/sqlite/functions.ts";
import { quoteName } from "../../src/sqlite/names.ts";
import type { Connection } from "../../src/sqlite/open.ts";

/** A value on its way into a table; `bytes` becomes text whatever its bytes, which may not be UTF-8. */
export type Stored = SqlValue | { readonly bytes: Buffer };

export type Row = Readonly<Record<string, SqlValue>>;

export const ALL_ROWS: RowRange = { first: -(2n ** 63n), last: 2n ** 63n - 1n };

export const SETTINGS: QuerySettings = {
  emergency: { filter: { anomaly_flag: { "=": 1 } } },
  schematized: { schemas: {}, enrich: {} },
  aggregated: { windowSeconds: 60, groupBy: null, metrics: null },
};

const RAW_TYPES: Readonly<Record<string, ColumnType>> = {
  INTEGER: "int64",
  REAL: "double",
  TEXT: "string",
  BLOB: "binary",
  BOOLEAN: "boolean",
  DATETIME: "string",
  NUMERIC: "double",
  "": "string",
};
export const DECLARED_TYPES = Object.keys(RAW_TYPES);

export function openMemory(): Connection {
  const db = new Database(":memory:");
  db.defaultSafeIntegers(true);
  registerFunctions(db);
  return db;
}

/** Makes a table with `id` and the given columns, `name: "REAL NOT NULL"`, and says what the source stage would. */
export function createTable(
  db: Connection,
  declarations: Readonly<Record<string, string>>,
  options: { table?: string; timestampColumn?: string; rows?: readonly (readonly Stored[])[] } = {},
): SourceSchema {
  const table = options.table ?? "readings";
  const ddl = Object.entries(declarations).map(([name, type]) => `, ${quoteName(name)} ${type}`);
  db.exec(`CREATE TABLE ${quoteName(table)} ("id" INTEGER PRIMARY KEY${ddl.join("")})`);
  const columns = Object.entries(declarations).map(([name, declaration]): SourceColumn => {
    const declaredType = declaration.split(/ (?:NOT|COLLATE)/)[0] as string;
    const type = RAW_TYPES[declaredType] as ColumnType;
    return { name, declaredType, type, primaryKeyPosition: 0, notNull: declaration.includes("NOT NULL") };
  });
  const schema: SourceSchema = {
    table,
    columns: [
      { name: "id", declaredType: "INTEGER", type: "int64", primaryKeyPosition: 1, notNull: false },
      ...columns,
    ],
    rowidName: "id",
    rowidIsDeclared: true,
    autoincrement: false,
    timestampColumn: options.timestampColumn ?? null,
  };
  insertRows(db, schema, options.rows ?? []);
  return schema;
}

/** Inserts rows with ids 1, 2, 3 …; the values are those of the columns behind `id`. */
export function insertRows(db: Connection, schema: SourceSchema, rows: readonly (readonly Stored[])[]): void {
  for (const [index, row] of rows.entries()) {
    const marks = row.map((value) => (isBytes(value) ? ", CAST(? AS TEXT)" : ", ?")).join("");
    const values = row.map((value) => (isBytes(value) ? value.bytes : value));
    db.prepare(`INSERT INTO ${quoteName(schema.table)} VALUES (?${marks})`).run(index + 1, ...values);
  }
}

/** Gives the columns declared COLLATE RTRIM a collation that only the sensor's program has. */
export function loseCollation(db: Connection): void {
  db.unsafeMode();
  db.pragma("writable_schema = ON");
  db.exec("UPDATE sqlite_schema SET sql = replace(sql, 'RTRIM', 'ICU_DE')");
  db.pragma("writable_schema = RESET");
}

/** What a route selects of a range, by the names of its columns, in its order. */
export function readRoute(db: Connection, route: RouteQuery, range: RowRange = ALL_ROWS): Row[] {
  const rows = db
    .prepare(route.sql)
    .raw()
    .all({ ...range, ...route.parameters }) as SqlValue[][];
  return rows.map((values) => {
    if (values.length !== route.columns.length)
      throw new Error("the SELECT and its columns differ in number");
    return Object.fromEntries(route.columns.map((column, index) => [column.name, values[index] as SqlValue]));
  });
}

export function readRoutes(db: Connection, query: PipelineQuery, range?: RowRange): Row[][] {
  return query.routes.map((route) => readRoute(db, route, range));
}

export function rowids(rows: readonly Row[]): bigint[] {
  return rows.map((row) => row._rowid as bigint);
}

/** Any value that SQLite can hold, odd ones often. */
export const anyValue: fc.Arbitrary<Stored> = fc.oneof(
  { weight: 2, arbitrary: fc.constant(null) },
  { weight: 3, arbitrary: fc.bigInt({ min: -5n, max: 200n }) },
  { weight: 2, arbitrary: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) },
  fc.constantFrom(2n ** 53n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, 1_767_225_600n),
  { weight: 3, arbitrary: fc.double() },
  fc.constantFrom(Infinity, -Infinity, Number.NaN, -0, 1e308, 9.3e18, 80.5, 0.1 + 0.2),
  { weight: 2, arbitrary: fc.string({ unit: "binary", maxLength: 12 }) },
  fc.constantFrom("", "\0", "80\0", "true", "80", " 8e1 ", "8.5", "1e400", "ERROR", "Berlin", "9".repeat(25)),
  fc.constantFrom(
    "2026-01-01T00:00:00Z",
    "2026-01-01 00:00:59.999999",
    "1970-01-01",
    "yesterday",
    "ü".repeat(500),
  ),
  fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  fc.constantFrom({ bytes: Buffer.from([0xff, 0x00, 0x61]) }, { bytes: Buffer.from([0xc3]) }),
);

function isBytes(value: Stored): value is { bytes: Buffer } {
  return typeof value === "object" && value !== null && !Buffer.isBuffer(value);
}
