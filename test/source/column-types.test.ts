import Database from "better-sqlite3";
import { describe, expect, it } from "vitest";
import type { ColumnType } from "../../src/core/types.ts";
import { columnType } from "../../src/source/column-types.ts";

const TYPES: readonly (readonly [declared: string, ColumnType])[] = [
  ["INTEGER", "int64"],
  ["int", "int64"],
  ["UNSIGNED BIG INT", "int64"],
  ["TINYINT(1)", "int64"],
  ["CHARINT", "int64"],
  ["FLOATING POINT", "int64"],
  ["REAL", "double"],
  ["DOUBLE PRECISION", "double"],
  ["float", "double"],
  ["NUMERIC", "double"],
  ["DECIMAL(10,2)", "double"],
  ["STRING", "double"],
  ["TEXT", "string"],
  ["VARCHAR(20)", "string"],
  ["NATIVE CHARACTER(70)", "string"],
  ["clob", "string"],
  ["TEXT BLOB", "string"],
  ["BLOB", "binary"],
  ["LONGBLOB", "binary"],
  ["BOOLEAN", "boolean"],
  ["bool", "boolean"],
  ["DATE", "string"],
  ["DATETIME", "string"],
  ["datetime(6)", "string"],
  ["TIME", "string"],
  ["TIMESTAMP", "string"],
  ["TIMESTAMP WITH TIME ZONE", "string"],
  ["TIMESTAMP_MS", "double"],
  ["", "string"],
];

describe("columnType", () => {
  it.each(TYPES)("ships a column declared %j as %s", (declared, type) => {
    expect(columnType(declared)).toBe(type);
  });

  it("gives a double or an int64 only to what SQLite itself takes for a number", () => {
    const db = new Database(":memory:");
    for (const [declared, type] of TYPES) {
      db.exec(`CREATE TABLE t (x ${declared}); INSERT INTO t VALUES ('1')`);
      const stored = db.prepare("SELECT typeof(x) FROM t").pluck().get();
      if (type === "int64" || type === "double") expect(stored, declared).not.toBe("text");
      db.exec("DROP TABLE t");
    }
    db.close();
  });
});
