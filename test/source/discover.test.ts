import { describe, expect, it } from "vitest";
import { ensureControlTables } from "../../src/pipeline/control-tables.ts";
import { discoverTables, tablesWithoutRowid } from "../../src/source/discover.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { openMemory } from "../query/tables.ts";

describe("discoverTables", () => {
  it("finds the only candidate among everything that is none", () => {
    const db = withEverything();
    expect(discoverTables(db, null)).toEqual(["Readings"]);
    expect(discoverTables(db, "*")).toEqual(["Readings"]);
  });

  it("takes every candidate for *, in order", () => {
    const db = withEverything();
    db.exec('CREATE TABLE "a b" (x); CREATE TABLE zulu (x)');
    expect(discoverTables(db, "*")).toEqual(["Readings", "a b", "zulu"]);
  });

  it("asks which one where there are several", () => {
    const db = withEverything();
    db.exec("CREATE TABLE events (x)");
    expect(() => discoverTables(db, null)).toThrowError(
      expect.objectContaining({
        code: "SOURCE_AMBIGUOUS",
        message: expect.stringContaining("Readings, events"),
        hint: expect.stringContaining("--table"),
      }),
    );
  });

  it("takes those that are named, under the names that they have", () => {
    const db = withEverything();
    db.exec("CREATE TABLE events (x)");
    expect(discoverTables(db, ["EVENTS", "readings"])).toEqual(["events", "Readings"]);
  });

  it("says what there is where a table is missing", () => {
    expect(() => discoverTables(withEverything(), ["reading"])).toThrowError(
      expect.objectContaining({
        code: "SOURCE_TABLE_MISSING",
        message: "There is no table reading.",
        hint: expect.stringContaining("Readings"),
      }),
    );
  });

  it.each([null, "*" as const, ["readings"]])("says that the database has no table yet (%j)", (wanted) => {
    const db = openMemory();
    ensureControlTables(db);
    expect(() => discoverTables(db, wanted)).toThrowError(
      expect.objectContaining({ code: "SOURCE_TABLE_MISSING", hint: expect.stringMatching(/sensor/) }),
    );
  });

  it.each([
    ["latest", "a view", /^Ship the table that it is made from/],
    ["pairs", "a WITHOUT ROWID table", /without the words WITHOUT ROWID/],
    ["texts", "a virtual table", /^Ship the table that it is made from/],
    ["texts_data", "a shadow table", /^Ship the table that it is made from/],
  ])("refuses %s, which is %s", (name, what, wayOut) => {
    expect(() => discoverTables(withEverything(), [name])).toThrowError(
      expect.objectContaining({
        code: "SOURCE_UNSUPPORTED",
        message: expect.stringContaining(what),
        hint: expect.stringMatching(wayOut),
      }),
    );
  });

  it.each([null, "*" as const])("refuses a database whose tables all have no rowid (%j)", (wanted) => {
    const db = openMemory();
    db.exec(
      "CREATE TABLE pairs (k TEXT PRIMARY KEY, v) WITHOUT ROWID; CREATE VIEW every AS SELECT * FROM pairs",
    );
    ensureControlTables(db);
    expect(() => discoverTables(db, wanted)).toThrowError(
      expect.objectContaining({
        code: "SOURCE_UNSUPPORTED",
        message: expect.stringMatching(/rowid to follow: every is a view, pairs is a WITHOUT ROWID table/),
        hint: expect.stringMatching(/without the words WITHOUT ROWID/),
      }),
    );
  });

  it("names the tables that are left out where none is named", () => {
    const db = withEverything();
    db.exec("CREATE TABLE codes (k INTEGER PRIMARY KEY) WITHOUT ROWID");
    expect(tablesWithoutRowid(db)).toEqual(["codes", "pairs"]);
  });

  it.each(["pipeline_config", "PIPELINE_EXECUTIONS", "sqlite_sequence", "sqlite_schema"])(
    "never takes %s, even when it is named",
    (name) => {
      expect(() => discoverTables(withEverything(), [name])).toThrowError(
        expect.objectContaining({ code: "SOURCE_TABLE_MISSING" }),
      );
    },
  );
});

/** A database with one table to ship, and one of each kind that is not shipped. */
function withEverything(): Connection {
  const db = openMemory();
  db.exec(`
    CREATE TABLE Readings (id INTEGER PRIMARY KEY AUTOINCREMENT, x REAL);
    CREATE VIEW latest AS SELECT max(id) FROM Readings;
    CREATE TABLE pairs (k TEXT PRIMARY KEY, v) WITHOUT ROWID;
    CREATE VIRTUAL TABLE texts USING fts5(body);
    ANALYZE;
  `);
  ensureControlTables(db);
  return db;
}
