import { describe, expect, it } from "vitest";
import type { SourceSchema } from "../../src/core/types.ts";
import { inspectTable } from "../../src/source/inspect.ts";
import { openMemory } from "../query/tables.ts";

describe("inspectTable", () => {
  it("describes the columns, generated ones included", () => {
    const { columns } = inspect(
      `id INTEGER PRIMARY KEY, seen DATETIME NOT NULL, x REAL, twice REAL AS (x * 2), thrice AS (x * 3) STORED, "odd ""name""" VARCHAR(20)`,
    );
    const rest = { primaryKeyPosition: 0, notNull: false };
    expect(columns).toEqual([
      { name: "id", declaredType: "INTEGER", type: "int64", primaryKeyPosition: 1, notNull: false },
      { name: "seen", declaredType: "DATETIME", type: "string", primaryKeyPosition: 0, notNull: true },
      { name: "x", declaredType: "REAL", type: "double", ...rest },
      { name: "twice", declaredType: "REAL", type: "double", ...rest },
      { name: "thrice", declaredType: "", type: "string", ...rest },
      { name: 'odd "name"', declaredType: "VARCHAR(20)", type: "string", ...rest },
    ]);
  });

  it.each<[columns: string, rowidName: string, rowidIsDeclared: boolean]>([
    ["id INTEGER PRIMARY KEY, x", "id", true],
    ["x, id integer, PRIMARY KEY (id)", "id", true],
    ["id INTEGER PRIMARY KEY ASC, x", "id", true],
    ["id INTEGER, x, PRIMARY KEY (id DESC)", "id", true],
    // https://sqlite.org/lang_createtable.html#rowid: looks like the rowid, and is another column
    ["id INTEGER PRIMARY KEY DESC, x", "rowid", false],
    ["id INT PRIMARY KEY, x", "rowid", false],
    ["id TEXT PRIMARY KEY, x", "rowid", false],
    ["a INTEGER, b INTEGER, PRIMARY KEY (a, b)", "rowid", false],
    ["x", "rowid", false],
    ["RowID TEXT, x", "_rowid_", false],
    ["rowid TEXT, _ROWID_ TEXT", "oid", false],
    ["rowid INTEGER PRIMARY KEY, x", "rowid", true],
    ["rowid TEXT, _rowid_ TEXT, oid INTEGER PRIMARY KEY", "oid", true],
  ])("finds the rowid of (%s) under the name %s", (columns, rowidName, rowidIsDeclared) => {
    const db = openMemory();
    db.exec(`CREATE TABLE readings (${columns})`);
    const schema = inspectTable(db, "readings", { timestampColumn: null });
    expect(schema).toMatchObject({ rowidName, rowidIsDeclared });
    db.exec("INSERT INTO readings DEFAULT VALUES");
    expect(db.prepare(`SELECT "${schema.rowidName}" FROM readings`).pluck().all()).toEqual([1n]);
  });

  it("refuses a table whose columns hide all three names of the rowid", () => {
    expect(() => inspect("rowid TEXT, _rowid_ TEXT, OID TEXT")).toThrowError(
      expect.objectContaining({
        code: "SOURCE_UNSUPPORTED",
        hint: expect.stringMatching(/INTEGER PRIMARY KEY/),
      }),
    );
  });

  it.each<[ddl: string, autoincrement: boolean]>([
    ["id INTEGER PRIMARY KEY AUTOINCREMENT, x", true],
    ["id INTEGER PRIMARY KEY ON CONFLICT REPLACE autoincrement, x", true],
    ["id INTEGER PRIMARY KEY, x", false],
    ["id INTEGER PRIMARY KEY, x -- AUTOINCREMENT is slow, said the vendor\n", false],
    ["id INTEGER PRIMARY KEY /* no AUTOINCREMENT */, x", false],
    [`id INTEGER PRIMARY KEY, "AUTOINCREMENT" TEXT`, false],
    ["id INTEGER PRIMARY KEY, x DEFAULT 'AUTOINCREMENT'", false],
    ["id INTEGER PRIMARY KEY, x DEFAULT 'it''s AUTOINCREMENT', [AUTOINCREMENT b], `c AUTOINCREMENT`", false],
    [`id INTEGER PRIMARY KEY AUTOINCREMENT, x DEFAULT '/*', "--" TEXT, y DEFAULT '*/'`, true],
    [`x DEFAULT '--', id INTEGER PRIMARY KEY AUTOINCREMENT`, true],
  ])("knows whether rowids are never given twice: (%s)", (ddl, autoincrement) => {
    expect(inspect(ddl).autoincrement).toBe(autoincrement);
  });

  it("says that a table is gone", () => {
    expect(() => inspectTable(openMemory(), "readings", { timestampColumn: null })).toThrowError(
      expect.objectContaining({ code: "SOURCE_TABLE_MISSING" }),
    );
  });

  it("looks at the table itself, not at a temporary one of the same name", () => {
    const db = openMemory();
    db.exec("CREATE TABLE readings (x REAL); CREATE TEMP TABLE readings (y TEXT)");
    expect(inspectTable(db, "readings", { timestampColumn: null }).columns.map(({ name }) => name)).toEqual([
      "x",
    ]);
  });
});

function inspect(columns: string): SourceSchema {
  const db = openMemory();
  db.exec(`CREATE TABLE readings (${columns})`);
  return inspectTable(db, "readings", { timestampColumn: null });
}
