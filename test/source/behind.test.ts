import { beforeEach, expect, test } from "vitest";
import { type BehindWatch, createBehindWatch, LARGEST_ROWID } from "../../src/source/behind.ts";
import { inspectTable } from "../../src/source/inspect.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { openMemory } from "../query/tables.ts";

let db: Connection;
let watch: BehindWatch;

beforeEach(() => {
  db = openMemory();
  db.exec("CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT)");
  insert(1, 10, 20);
  watch = createBehindWatch();
  watch.noteRead(schema(), { first: 1n, last: 20n, rows: 3 });
});

test("rows that come to be within those last read are said once", () => {
  expect(look(20n)).toBeNull();
  insert(5, 15, 21);
  expect(look(20n)).toEqual({ kind: "behind", rows: 2, first: 1n, last: 20n });
  expect(look(20n)).toBeNull();
});

test("rows that retention deletes are no reason, nor do they hide later ones", () => {
  db.exec("DELETE FROM readings WHERE id < 20");
  expect(look(20n)).toBeNull();
  insert(5);
  expect(look(20n)).toMatchObject({ rows: 1 });
});

test("several reads in a row are watched together", () => {
  insert(30);
  watch.noteRead(schema(), { first: 30n, last: 30n, rows: 1 });
  insert(2);
  expect(look(30n)).toEqual({ kind: "behind", rows: 1, first: 1n, last: 30n });
});

test("an extraction that failed is read again, and is no reason", () => {
  insert(5);
  expect(look(null)).toBeNull();
  expect(look(10n)).toBeNull();
});

test("the largest rowid is said once, but not where SQLite gives out no others", () => {
  expect(look(LARGEST_ROWID)).toEqual({ kind: "exhausted" });
  expect(look(LARGEST_ROWID)).toBeNull();
  db.exec("DROP TABLE readings; CREATE TABLE readings (id INTEGER PRIMARY KEY AUTOINCREMENT)");
  watch = createBehindWatch();
  expect(look(LARGEST_ROWID)).toBeNull();
});

function insert(...ids: readonly number[]): void {
  for (const id of ids) db.prepare("INSERT INTO readings VALUES (?, 'a')").run(id);
}

function schema() {
  return inspectTable(db, "readings", { timestampColumn: null });
}

function look(cursor: bigint | null) {
  return watch.look(db, inspectTable(db, "readings", { timestampColumn: null }), cursor);
}
