import { describe, expect, it } from "vitest";
import { checkContinuity, type Position, positionAt } from "../../src/source/continuity.ts";
import { inspectTable } from "../../src/source/inspect.ts";
import { noteRecentRows, type RecentRows } from "../../src/source/recent-rows.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { openMemory } from "../query/tables.ts";

const AUTOINCREMENT = "id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT, value REAL, synced INTEGER";
const PLAIN = "id INTEGER PRIMARY KEY, timestamp TEXT, value REAL, synced INTEGER";
const CONTINUES = { continues: true };

describe.each([
  ["with AUTOINCREMENT", AUTOINCREMENT],
  ["without AUTOINCREMENT", PLAIN],
])("a source %s", (_, columns) => {
  it("continues when nothing but new rows has come", () => {
    const db = source(columns);
    const positions = shipped(db, [4n, 8n, 10n]);
    fill(db, { from: 11, through: 20 });
    expect(check(db, positions)).toEqual(CONTINUES);
  });

  it("continues when nothing was shipped yet", () => {
    expect(check(source(columns), [])).toEqual(CONTINUES);
  });

  it("continues when a sensor marks shipped rows as synced, or corrects their values", () => {
    const db = source(columns);
    const positions = shipped(db, [4n, 10n]);
    db.exec("UPDATE readings SET synced = 1, value = value + 1");
    expect(check(db, positions)).toEqual(CONTINUES);
  });

  it.each([
    ["the oldest rows", "id < 9"],
    ["all rows up to the cursor", "id <= 10"],
    ["all rows up to the cursor and beyond", "id <= 15"],
  ])("continues when retention deletes %s, while there are later ones", (_, where) => {
    const db = source(columns);
    const positions = shipped(db, [4n, 8n, 10n]);
    fill(db, { from: 11, through: 20 });
    db.exec(`DELETE FROM readings WHERE ${where}`);
    expect(check(db, positions)).toEqual(CONTINUES);
  });

  it("continues when a column is added, or one is dropped that the digest is not of", () => {
    const db = source(columns);
    const positions = shipped(db, [4n, 10n]);
    db.exec("ALTER TABLE readings ADD COLUMN extra TEXT; ALTER TABLE readings DROP COLUMN value");
    expect(check(db, positions)).toEqual(CONTINUES);
  });

  it("continues when the column of the digest is renamed, since its values are the same", () => {
    const db = source(columns);
    const positions = shipped(db, [4n, 10n]);
    db.exec("ALTER TABLE readings RENAME COLUMN timestamp TO ts");
    expect(check(db, positions)).toEqual(CONTINUES);
  });

  it("is broken when it was made again with another column for the time, longer than the cursor", () => {
    const db = source(columns);
    const positions = shipped(db, [4n, 10n]);
    db.exec(`DROP TABLE readings; CREATE TABLE readings (${columns})`);
    fill(db, { from: 1, through: 20 });
    db.exec("UPDATE readings SET timestamp = 'later ' || id");
    db.exec("ALTER TABLE readings RENAME COLUMN timestamp TO ts");
    expect(check(db, positions)).toMatchObject({ continues: false, resumeAfter: null });
  });

  it("continues when there is nothing left that the digest could be of, and the other columns are as they were", () => {
    const db = source(columns);
    const positions = shipped(db, [4n, 10n]);
    const recent = recentRows(db);
    db.exec("ALTER TABLE readings DROP COLUMN timestamp");
    expect(check(db, positions, recent)).toEqual(CONTINUES);
    db.exec("DELETE FROM readings WHERE id <= 2");
    expect(check(db, positions, recent)).toEqual(CONTINUES);
  });

  it.each([
    ["one of them is another", "UPDATE readings SET value = 7 WHERE id = 9"],
    ["too few are left to tell", "DELETE FROM readings WHERE id <= 3"],
    ["they do not tell rows apart", "ALTER TABLE readings DROP COLUMN value"],
  ])("is broken when the digest's column is gone, and of the other columns %s", (_, sql) => {
    const db = source(columns);
    const positions = shipped(db, [4n, 10n]);
    const recent = recentRows(db);
    db.exec("ALTER TABLE readings DROP COLUMN timestamp");
    expect(check(db, positions, null)).toMatchObject({ continues: false, resumeAfter: null });
    expect(check(db, positions, recent)).toEqual(CONTINUES);
    db.exec(sql);
    expect(check(db, positions, recent)).toMatchObject({ continues: false, resumeAfter: null });
  });

  it("is broken after the row before the cursor when the cursor's alone is another", () => {
    const db = source(columns);
    const positions = shipped(db, [4n, 10n]);
    const recent = recentRows(db);
    db.exec("UPDATE readings SET timestamp = 'another' WHERE id = 10");
    expect(check(db, positions, recent)).toMatchObject({ continues: false, resumeAfter: 9n });
    db.exec("UPDATE readings SET synced = 1");
    expect(check(db, positions, recent)).toMatchObject({ continues: false, resumeAfter: 4n });
  });

  it("is not resumed after a row that is like another one", () => {
    const db = source(columns);
    db.exec("UPDATE readings SET value = 1, timestamp = 'same'");
    const positions = shipped(db, [4n, 10n]);
    const recent = recentRows(db);
    db.exec("UPDATE readings SET timestamp = 'another' WHERE id = 10");
    expect(check(db, positions, recent)).toMatchObject({ continues: false, resumeAfter: 4n });
  });

  it("is not resumed after a row that matches, where one before it does not", () => {
    const db = source(columns);
    db.exec("UPDATE readings SET timestamp = iif(id < 6, 'Monday', 'Tuesday')");
    const positions = shipped(db, [2n, 4n, 8n, 10n]);
    db.exec("UPDATE readings SET timestamp = iif(id < 10, 'Tuesday', 'Wednesday')");
    expect(check(db, positions)).toMatchObject({ continues: false, resumeAfter: null });
  });

  it("is broken when it was dropped and made again with fewer rows than were shipped", () => {
    const db = source(columns);
    const positions = shipped(db, [4n, 10n]);
    db.exec(`DROP TABLE readings; CREATE TABLE readings (${columns})`);
    fill(db, { through: 3, day: "2027-01-01" });
    expect(check(db, positions)).toMatchObject({ continues: false, resumeAfter: null });
  });

  it("is broken when it was dropped and made again with more rows than were shipped", () => {
    const db = source(columns);
    const positions = shipped(db, [4n, 10n]);
    db.exec(`DROP TABLE readings; CREATE TABLE readings (${columns})`);
    fill(db, { through: 30, day: "2027-01-01" });
    expect(check(db, positions)).toEqual({
      continues: false,
      resumeAfter: null,
      reason: "the row 10 is not the one that was shipped",
    });
  });

  it("is broken after the highest position that still matches, as when a back-up was restored", () => {
    const db = source(columns);
    const positions = shipped(db, [2n, 4n, 6n, 8n, 10n]);
    db.exec("DELETE FROM readings WHERE id > 7");
    fill(db, { from: 8, through: 30, day: "2027-01-01" });
    expect(check(db, positions)).toMatchObject({ continues: false, resumeAfter: 6n });
  });

  it("is broken when rows before a cursor that is gone are not those that were shipped", () => {
    const db = source(columns);
    const positions = shipped(db, [4n, 8n, 10n]);
    db.exec("UPDATE readings SET timestamp = 'another' WHERE id = 8; DELETE FROM readings WHERE id = 10");
    fill(db, { from: 11, through: 12 });
    expect(check(db, positions)).toMatchObject({ continues: false, resumeAfter: 4n });
  });
});

describe("an emptied source", () => {
  it("continues with AUTOINCREMENT, since SQLite gives no rowid twice", () => {
    const db = source(AUTOINCREMENT);
    const positions = shipped(db, [4n, 10n]);
    db.exec("DELETE FROM readings");
    expect(check(db, positions)).toEqual(CONTINUES);
    fill(db, { through: 3, day: "2027-01-01", explicitIds: false });
    expect(check(db, positions)).toEqual(CONTINUES);
  });

  it("begins again without it, since its rowids do", () => {
    const db = source(PLAIN);
    const positions = shipped(db, [4n, 10n]);
    db.exec("DELETE FROM readings");
    expect(check(db, positions)).toMatchObject({ continues: false, resumeAfter: null });
  });

  it("begins again with it too, once somebody has reset the sequence", () => {
    const db = source(AUTOINCREMENT);
    const positions = shipped(db, [4n, 10n]);
    db.exec("DELETE FROM readings; DELETE FROM sqlite_sequence");
    expect(check(db, positions)).toMatchObject({ continues: false, resumeAfter: null });
  });
});

describe("the largest rowid", () => {
  it("may be given again without AUTOINCREMENT once its row is deleted", () => {
    const db = source(PLAIN);
    const positions = shipped(db, [4n, 8n, 10n]);
    db.exec("DELETE FROM readings WHERE id = 10");
    expect(check(db, positions)).toEqual({
      continues: false,
      resumeAfter: 8n,
      reason: "the rowids up to 10 are free to be given out again",
    });
  });

  it("is noticed when it was given again", () => {
    const db = source(PLAIN);
    const positions = shipped(db, [4n, 8n, 10n]);
    db.exec("DELETE FROM readings WHERE id = 10; INSERT INTO readings (timestamp) VALUES ('later')");
    expect(check(db, positions)).toMatchObject({ continues: false, resumeAfter: 8n });
  });

  it("is never given again with AUTOINCREMENT", () => {
    const db = source(AUTOINCREMENT);
    const positions = shipped(db, [4n, 8n, 10n]);
    db.exec("DELETE FROM readings WHERE id = 10; INSERT INTO readings (timestamp) VALUES ('later')");
    expect(check(db, positions)).toEqual(CONTINUES);
  });

  it("of another table does not count", () => {
    const db = source(AUTOINCREMENT);
    const positions = shipped(db, [10n]);
    db.exec("CREATE TABLE other (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO other VALUES (3)");
    db.exec("DELETE FROM readings WHERE id = 10");
    expect(check(db, positions)).toEqual(CONTINUES);
  });
});

describe("the digest", () => {
  it.each<[what: string, columns: string, insert: string, change: string]>([
    ["the timestamp", "timestamp TEXT, v", "INSERT INTO readings VALUES ('a', 1)", "SET timestamp = 'b'"],
    ["a timestamp's storage class", "ts, v", "INSERT INTO readings VALUES (1, 1)", "SET ts = '1'"],
    [
      "the key, without a timestamp",
      "k TEXT PRIMARY KEY, v",
      "INSERT INTO readings VALUES ('a', 1)",
      "SET k = 'b'",
    ],
    [
      "a key of several columns",
      "k, l, v, PRIMARY KEY (k, l)",
      "INSERT INTO readings VALUES (1, 2, 3)",
      "SET l = 9",
    ],
    [
      "a key that looks like the rowid",
      "id INTEGER PRIMARY KEY DESC, v",
      "INSERT INTO readings VALUES (7, 1)",
      "SET id = 8",
    ],
  ])("sees a change of %s, and none of other columns", (_, columns, insert, change) => {
    const db = source(columns, 0);
    db.exec(insert);
    const positions = shipped(db, [1n]);
    db.exec("UPDATE readings SET v = 'other'");
    expect(check(db, positions)).toEqual(CONTINUES);
    db.exec(`UPDATE readings ${change}`);
    expect(check(db, positions)).toMatchObject({ continues: false, resumeAfter: null });
  });

  it("tells the parts of a key apart", () => {
    const db = source("k TEXT, l TEXT, PRIMARY KEY (k, l)", 0);
    db.exec("INSERT INTO readings VALUES ('a,''b', 'c')");
    const positions = shipped(db, [1n]);
    db.exec("UPDATE readings SET k = 'a', l = 'b'',''c'");
    expect(check(db, positions)).toMatchObject({ continues: false });
  });

  it("works at both ends of the rowids", () => {
    const db = source(PLAIN, 0);
    for (const id of [-(2n ** 63n), 2n ** 63n - 1n])
      db.prepare("INSERT INTO readings VALUES (?, 'a', 1, 0)").run(id);
    const positions = shipped(db, [-(2n ** 63n), 2n ** 63n - 1n]);
    expect(check(db, positions)).toEqual(CONTINUES);
    db.exec("UPDATE readings SET timestamp = 'b' WHERE id > 0");
    expect(check(db, positions)).toMatchObject({ continues: false, resumeAfter: -(2n ** 63n) });
  });
});

/** A table with rows 1 … 10. */
function source(columns: string, rows = 10): Connection {
  const db = openMemory();
  db.exec(`CREATE TABLE readings (${columns})`);
  fill(db, { through: rows });
  return db;
}

interface Fill {
  readonly from?: number;
  readonly through: number;
  readonly day?: string;
  readonly explicitIds?: boolean;
}

function fill(db: Connection, { from = 1, through, day = "2026-01-01", explicitIds = true }: Fill): void {
  for (let id = from; id <= through; id++)
    db.prepare("INSERT INTO readings (id, timestamp, value, synced) VALUES (?, ?, ?, 0)").run(
      explicitIds ? id : null,
      `${day}T00:00:${String(id).padStart(2, "0")}Z`,
      20.5 + id,
    );
}

function schemaOf(db: Connection) {
  return inspectTable(db, "readings", { timestampColumn: null });
}

/** The positions of rows as an extraction remembers them, the highest first. */
function shipped(db: Connection, rowids: readonly bigint[]): Position[] {
  return rowids.toReversed().map((rowid) => positionAt(db, schemaOf(db), rowid));
}

function recentRows(db: Connection): RecentRows {
  return noteRecentRows(db, schemaOf(db), 10n);
}

function check(db: Connection, positions: readonly Position[], recent: RecentRows | null = null) {
  return checkContinuity(db, schemaOf(db), { positions, trail: [], recent });
}
