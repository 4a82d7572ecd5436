import { beforeEach, expect, test } from "vitest";
import { inspectTable } from "../../src/source/inspect.ts";
import { createNumberingWatch, type Numbering, type NumberingWatch } from "../../src/source/numbering.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { openMemory } from "../query/tables.ts";

let db: Connection;
let watch: NumberingWatch;

beforeEach(() => {
  db = openMemory();
  db.exec("CREATE TABLE readings (timestamp TEXT, value REAL, synced INTEGER)");
  insert(1, 10);
  watch = createNumberingWatch(db);
});

test("VACUUM raises the schema's version by one, keeps its text and the order of rows, and numbers them from 1", () => {
  db.exec("DELETE FROM readings WHERE value IN (1, 4)");
  const before = watch.note(schema(), 10n);
  db.exec("VACUUM");
  const after = watch.note(schema(), 8n);
  expect(after?.schemaVersion).toBe((before?.schemaVersion ?? 0) + 1);
  expect(after?.schemaDigest).toBe(before?.schemaDigest);
  const rows = db.prepare("SELECT rowid, value FROM readings").safeIntegers(false).raw().all();
  expect(rows).toEqual([2, 3, 5, 6, 7, 8, 9, 10].map((value, index) => [index + 1, value]));
});

test.each<[what: string, sql: string, may: boolean]>([
  ["nothing", "", false],
  ["rows", "DELETE FROM readings WHERE value < 5; UPDATE readings SET synced = 1", false],
  ["VACUUM of rows 1, 2, 3, …", "VACUUM", false],
  ["VACUUM of others", "DELETE FROM readings WHERE value = 1; VACUUM", true],
  [
    "VACUUM of others, with gaps since",
    "DELETE FROM readings WHERE value = 1; VACUUM; DELETE FROM readings WHERE value < 5",
    true,
  ],
  ["VACUUM, and the last row is deleted", "VACUUM; DELETE FROM readings WHERE value = 10", true],
  ["VACUUM, and the last row is updated", "VACUUM; UPDATE readings SET synced = 1", true],
  [
    "VACUUM, and another row is like the last one",
    "VACUUM; UPDATE readings SET value = 10 WHERE value = 3",
    true,
  ],
  ["VACUUM, and a column is gone", "VACUUM; ALTER TABLE readings DROP COLUMN synced", true],
  [
    "one change of the schema, and rows",
    "DELETE FROM readings WHERE value > 5; CREATE INDEX i ON readings(value)",
    false,
  ],
  [
    "two changes of the schema",
    "CREATE INDEX i ON readings(value); CREATE INDEX j ON readings(timestamp)",
    false,
  ],
  [
    "a change of the schema, and VACUUM",
    "DELETE FROM readings WHERE value = 1; CREATE INDEX i ON readings(value); DROP INDEX i; VACUUM",
    true,
  ],
  [
    "the uploader's own tables, and rows",
    "CREATE TABLE pipeline_config(id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE INDEX c ON pipeline_config(id); DELETE FROM readings",
    false,
  ],
  [
    "the uploader's own tables, and VACUUM",
    "CREATE TABLE pipeline_config(id INTEGER PRIMARY KEY AUTOINCREMENT); DELETE FROM readings WHERE value = 1; VACUUM",
    true,
  ],
])("%s: whether rows may have other rowids", (_, sql, may) => {
  const before = watch.note(schema(), 10n);
  db.exec(sql);
  insert(11, 20);
  expect(mayHaveChanged(before)).toBe(may);
  expect(mayHaveChanged(before), "asked again").toBe(may);
  expect(
    createNumberingWatch(db).mayHaveChanged(schema(), before, () => null),
    "after a start",
  ).toBe(may);
});

test("rows that are shipped already behind the last one are not where it says", () => {
  const before = watch.note(schema(), 5n);
  const behind = (rowid: bigint) => (rowid < 10n ? { first: 8n, last: 10n } : null);
  expect(watch.mayHaveChanged(schema(), before, behind)).toBe(false);
  db.exec("VACUUM");
  expect(watch.mayHaveChanged(schema(), before, behind)).toBe(true);
  expect(watch.mayHaveChanged(schema(), before, () => null)).toBe(false);
});

test("a declared rowid is kept by VACUUM, and not watched", () => {
  db.exec("DROP TABLE readings; CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT)");
  expect(watch.note(schema(), 1n)).toBeNull();
  expect(mayHaveChanged(null)).toBe(false);
});

test("as many columns as SQLite lets a table have", () => {
  const columns = Array.from({ length: 2_000 }, (_, index) => `c${index}`);
  db.exec(`DROP TABLE readings; CREATE TABLE readings (${columns})`);
  db.exec(`INSERT INTO readings (c7, c1999) VALUES (1, 2), (1, 3)`);
  const before = watch.note(schema(), 2n);
  db.exec("VACUUM");
  expect(mayHaveChanged(before)).toBe(false);
  db.exec("UPDATE readings SET c1999 = 3");
  expect(createNumberingWatch(db).mayHaveChanged(schema(), before, () => null)).toBe(true);
});

function insert(from: number, through: number): void {
  for (let value = from; value <= through; value++)
    db.prepare("INSERT INTO readings (timestamp, value) VALUES ('2026-01-01', ?)").run(value);
}

function schema() {
  return inspectTable(db, "readings", { timestampColumn: null });
}

function mayHaveChanged(before: Numbering | null): boolean {
  return watch.mayHaveChanged(schema(), before, () => null);
}
