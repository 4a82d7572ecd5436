import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openForTest } from "../support/readings.ts";
import { tallyScenario } from "./campaign.ts";
import {
  changingColumns,
  everSeen,
  expectChangingColumns,
  generationsIn,
  openSource,
  SCHEMA_CHANGES,
  type SourceSite,
  VALUES,
  WITH_AUTOINCREMENT,
  WITHOUT_AUTOINCREMENT,
  WITHOUT_TIMESTAMP,
} from "./source-site.ts";

const tally = tallyScenario("4 the source");

interface Hazard {
  /** Columns of the table. */
  readonly ddl: string;
  /** How rows come into it; left out: `insert`. */
  readonly fill?: "insertAtOnce" | "insertAlike";
  /** Those that the rows are told apart by; left out: `COLUMNS`. */
  readonly columns?: readonly string[];
  /** What happens once 100 rows are shipped, and before 10 more come. */
  readonly happens: (source: SourceSite) => void;
}

/** The same rows go on: each is shipped once, in generation 1. */
const CONTINUES: Readonly<Record<string, Hazard>> = {
  "retention deletes behind the cursor": {
    ddl: WITH_AUTOINCREMENT,
    happens: ({ db }) => db.exec("DELETE FROM readings WHERE id < 95"),
  },
  "retention deletes behind the cursor, without AUTOINCREMENT": {
    ddl: WITHOUT_AUTOINCREMENT,
    happens: ({ db }) => db.exec("DELETE FROM readings WHERE id < 100"),
  },
  "retention empties the table": {
    ddl: WITH_AUTOINCREMENT,
    happens: ({ db }) => db.exec("DELETE FROM readings"),
  },
  "the largest rowid is deleted, with AUTOINCREMENT": {
    ddl: WITH_AUTOINCREMENT,
    happens: ({ db }) => db.exec("DELETE FROM readings WHERE id = 100"),
  },
  "shipped rows are updated": {
    ddl: WITH_AUTOINCREMENT,
    happens: ({ db }) => db.exec("UPDATE readings SET temperature = temperature + 1, synced = 1"),
  },
  "VACUUM with an INTEGER PRIMARY KEY": {
    ddl: WITHOUT_AUTOINCREMENT,
    happens: ({ db }) => db.exec("DELETE FROM readings WHERE id < 50; VACUUM"),
  },
  "VACUUM without an INTEGER PRIMARY KEY, where no row was deleted": {
    ddl: VALUES,
    fill: "insertAtOnce",
    happens: ({ db }) => db.exec("VACUUM"),
  },
  "VACUUM twice without an INTEGER PRIMARY KEY, and a column added, where no row was deleted": {
    ddl: VALUES,
    fill: "insertAtOnce",
    happens: ({ db }) => db.exec("VACUUM; VACUUM; ALTER TABLE readings ADD COLUMN humidity REAL"),
  },
  "a column is added to rows without a key, some of them deleted and updated": {
    ddl: VALUES,
    fill: "insertAtOnce",
    happens: ({ db }) =>
      db.exec(`DELETE FROM readings WHERE rowid < 30; UPDATE readings SET synced = 1;
        ALTER TABLE readings ADD COLUMN humidity REAL`),
  },
  "several columns are added to rows without a key, some of them deleted": {
    ddl: VALUES,
    fill: "insertAtOnce",
    happens: ({ db }) =>
      db.exec(`DELETE FROM readings WHERE rowid < 30; ALTER TABLE readings ADD COLUMN humidity REAL;
        ALTER TABLE readings ADD COLUMN pressure REAL; CREATE INDEX by_sensor ON readings(sensor_id)`),
  },
  "the timestamp column is dropped, without AUTOINCREMENT": {
    ddl: WITHOUT_AUTOINCREMENT,
    columns: WITHOUT_TIMESTAMP,
    happens: ({ db }) => db.exec("ALTER TABLE readings DROP COLUMN timestamp"),
  },
  "the timestamp column is dropped, without an INTEGER PRIMARY KEY": {
    ddl: VALUES,
    columns: WITHOUT_TIMESTAMP,
    happens: ({ db }) => db.exec("ALTER TABLE readings DROP COLUMN timestamp"),
  },
  "the timestamp column is renamed, and retention deletes behind the cursor": {
    ddl: WITH_AUTOINCREMENT,
    columns: WITHOUT_TIMESTAMP,
    happens: ({ db }) =>
      db.exec("ALTER TABLE readings RENAME COLUMN timestamp TO moment; DELETE FROM readings WHERE id < 92"),
  },
  "the timestamp column is dropped, and retention empties the table": {
    ddl: WITH_AUTOINCREMENT,
    columns: WITHOUT_TIMESTAMP,
    happens: ({ db }) => db.exec("ALTER TABLE readings DROP COLUMN timestamp; DELETE FROM readings"),
  },
  "the timestamps of shipped rows are updated, not that of the last": {
    ddl: WITH_AUTOINCREMENT,
    happens: ({ db }) => db.exec("UPDATE readings SET timestamp = '2030-01-01' WHERE id BETWEEN 50 AND 99"),
  },
  "the journal mode changes": {
    ddl: WITH_AUTOINCREMENT,
    happens: ({ db }) => expect(db.pragma("journal_mode = DELETE", { simple: true })).toBe("delete"),
  },
};

describe("a source whose rows go on", () => {
  test.each(Object.entries(CONTINUES))(
    "%s: each row is shipped once",
    async (_, { ddl, columns, fill = "insert" as const, happens }) => {
      const source = await openSource(ddl, tally, columns);
      const insert = source[fill];
      insert(100);
      expect(generationsIn(await source.ship())).toEqual([]);
      const before = source.rows();
      happens(source);
      insert(10);
      expect(generationsIn(await source.ship())).toEqual([]);
      const rows = everSeen(before, source.rows());
      expect(rows.size).toBe(110);
      await source.check([{ sinceGeneration: 1, rows }]);
    },
  );

  test.each(Object.entries(SCHEMA_CHANGES))(
    "%s: each row is shipped once, with the column as it was when the row was read",
    async (_, { sql, column, columns: told }) => {
      const source = await openSource(WITH_AUTOINCREMENT, tally, told);
      source.insert(100);
      source.db.exec("UPDATE readings SET location = id + 0.5");
      await source.ship();
      const [rows, columns] = [source.rows(), changingColumns(source.db)];
      source.db.exec(sql);
      source.insert(10);
      if (column) source.db.exec(`UPDATE readings SET ${column} = id + 0.5 WHERE id > 105`);
      expect(generationsIn(await source.ship())).toEqual([]);
      await expectChangingColumns(source, columns, 100);
      await source.check([{ sinceGeneration: 1, rows: everSeen(rows, source.rows()) }]);
    },
  );
});

interface Replacement extends Hazard {
  /** Behind which row the second generation begins. */
  readonly resumeAfter: number | null;
}

/** Other rows have taken the rowids: a second generation has them all, and some of the first again. */
const REPLACED: Readonly<Record<string, Replacement>> = {
  "the largest rowid is given again, without AUTOINCREMENT": {
    ddl: WITHOUT_AUTOINCREMENT,
    happens: ({ db }) => db.exec("DELETE FROM readings WHERE id >= 95"),
    resumeAfter: 94,
  },
  ...Object.fromEntries(
    [WITH_AUTOINCREMENT, WITHOUT_AUTOINCREMENT, VALUES].map((ddl): [string, Replacement] => [
      `the table is dropped and made again without a timestamp, longer than the cursor (${ddl.split(" timestamp")[0]})`,
      {
        ddl,
        columns: WITHOUT_TIMESTAMP,
        happens: ({ db, insert }) => {
          db.exec(`DROP TABLE readings; CREATE TABLE readings (${ddl.replace("timestamp TEXT, ", "")})`);
          insert(130);
        },
        resumeAfter: null,
      },
    ]),
  ),
  "the table is dropped and made again without a timestamp, and its row at the cursor deleted": {
    ddl: WITH_AUTOINCREMENT,
    columns: WITHOUT_TIMESTAMP,
    happens: ({ db, insert }) => {
      db.exec(
        `DROP TABLE readings; CREATE TABLE readings (${WITH_AUTOINCREMENT.replace("timestamp TEXT, ", "")})`,
      );
      insert(130);
      db.exec("DELETE FROM readings WHERE id = 100");
    },
    resumeAfter: null,
  },
  "the timestamp column is dropped from rows that are alike in all else": {
    ddl: WITH_AUTOINCREMENT,
    columns: WITHOUT_TIMESTAMP,
    fill: "insertAlike",
    happens: ({ db }) => db.exec("ALTER TABLE readings DROP COLUMN timestamp"),
    resumeAfter: null,
  },
  "the timestamp of the row at the cursor is updated": {
    ddl: WITH_AUTOINCREMENT,
    happens: ({ db }) => db.exec("UPDATE readings SET timestamp = '2030-01-01' WHERE id = 100"),
    resumeAfter: 99,
  },
  "the timestamps of the last three rows are updated, without AUTOINCREMENT": {
    ddl: WITHOUT_AUTOINCREMENT,
    happens: ({ db }) => db.exec("UPDATE readings SET timestamp = '2030-01-01' WHERE id > 97"),
    resumeAfter: 97,
  },
  "the table is dropped and made again, shorter": {
    ddl: WITH_AUTOINCREMENT,
    happens: ({ db, insert }) => {
      db.exec(`DROP TABLE readings; CREATE TABLE readings (${WITH_AUTOINCREMENT})`);
      insert(30);
    },
    resumeAfter: null,
  },
  "the table is dropped and made again, already longer than the cursor": {
    ddl: WITH_AUTOINCREMENT,
    happens: ({ db, insert }) => {
      db.exec(`DROP TABLE readings; CREATE TABLE readings (${WITH_AUTOINCREMENT})`);
      insert(150);
    },
    resumeAfter: null,
  },
  "the table is dropped and made again with other columns": {
    ddl: WITH_AUTOINCREMENT,
    happens: ({ db, insert }) => {
      const ddl = WITH_AUTOINCREMENT.replace("location TEXT", "altitude REAL, place TEXT");
      db.exec(`DROP TABLE readings; CREATE TABLE readings (${ddl})`);
      insert(120);
    },
    resumeAfter: null,
  },
  "an older back-up is restored, and goes on differently": {
    ddl: WITH_AUTOINCREMENT,
    happens: ({ db, insert }) => {
      db.exec(
        "DELETE FROM readings WHERE id > 70; UPDATE sqlite_sequence SET seq = 70 WHERE name = 'readings'",
      );
      insert(60);
    },
    resumeAfter: 60,
  },
  "VACUUM without an INTEGER PRIMARY KEY, where rows were deleted": {
    ddl: VALUES,
    happens: ({ db }) => db.exec("DELETE FROM readings WHERE rowid < 30; VACUUM"),
    resumeAfter: null,
  },
  "VACUUM without an INTEGER PRIMARY KEY, and as many rows again": {
    ddl: VALUES,
    happens: ({ db, insert }) => {
      db.exec("DELETE FROM readings WHERE rowid BETWEEN 30 AND 40; VACUUM");
      insert(40);
    },
    resumeAfter: null,
  },
  "VACUUM without an INTEGER PRIMARY KEY, where all rows have one timestamp": {
    ddl: VALUES,
    fill: "insertAtOnce",
    happens: ({ db, insertAtOnce }) => {
      db.exec("DELETE FROM readings WHERE rowid < 30; VACUUM");
      insertAtOnce(40);
    },
    resumeAfter: null,
  },
  "VACUUM, rows of one timestamp, and retention since": {
    ddl: VALUES,
    fill: "insertAtOnce",
    happens: ({ db, insertAtOnce }) => {
      db.exec("DELETE FROM readings WHERE rowid < 30; VACUUM");
      insertAtOnce(60);
      db.exec("DELETE FROM readings WHERE rowid < 10");
    },
    resumeAfter: null,
  },
  "VACUUM twice, rows of one timestamp": {
    ddl: VALUES,
    fill: "insertAtOnce",
    happens: ({ db, insertAtOnce }) => {
      db.exec("DELETE FROM readings WHERE rowid = 40; VACUUM");
      insertAtOnce(5);
      db.exec("DELETE FROM readings WHERE rowid = 7; VACUUM");
    },
    resumeAfter: null,
  },
  "VACUUM and a column added, rows of one timestamp": {
    ddl: VALUES,
    fill: "insertAtOnce",
    happens: ({ db }) =>
      db.exec("DELETE FROM readings WHERE rowid = 40; VACUUM; ALTER TABLE readings ADD COLUMN humidity REAL"),
    resumeAfter: null,
  },
  "VACUUM and the table given a key, rows of one timestamp": {
    ddl: VALUES,
    fill: "insertAtOnce",
    happens: ({ db, insertAtOnce }) => {
      db.exec(`DELETE FROM readings WHERE rowid = 40; VACUUM; CREATE TABLE made (rowid INTEGER PRIMARY KEY, ${VALUES});
        INSERT INTO made SELECT rowid, * FROM readings; DROP TABLE readings; ALTER TABLE made RENAME TO readings`);
      insertAtOnce(5);
    },
    resumeAfter: null,
  },
  "VACUUM of rows that are all alike": {
    ddl: VALUES,
    fill: "insertAlike",
    happens: ({ db, insertAlike }) => {
      db.exec("DELETE FROM readings WHERE rowid = 40; VACUUM");
      insertAlike(5);
    },
    resumeAfter: null,
  },
  "the largest rowids are given again, and the one at the cursor is deleted again": {
    ddl: WITHOUT_AUTOINCREMENT,
    happens: ({ db, insert }) => {
      db.exec("DELETE FROM readings WHERE id >= 85");
      insert(20);
      db.exec("DELETE FROM readings WHERE id BETWEEN 95 AND 101");
    },
    resumeAfter: 80,
  },
};

describe("a source whose rowids begin again", () => {
  test.each(Object.entries(REPLACED))(
    "%s: no row is lost, and a new generation is said",
    async (_, { ddl, columns, fill = "insert" as const, happens, resumeAfter }) => {
      const source = await openSource(ddl, tally, columns);
      const insert = source[fill];
      insert(100);
      await source.ship();
      const before = source.rows();
      happens(source);
      insert(10);
      expect(generationsIn(await source.ship())).toEqual([{ generation: 2, resumeAfter }]);
      const incarnations = [
        { sinceGeneration: 1, rows: before },
        { sinceGeneration: 2, rows: source.rows(), resumeAfter },
      ];
      await source.check(incarnations);
    },
  );
});

describe("a database file replaced between two runs", () => {
  test.each<[how: string, replace: (made: string, database: string) => void]>([
    ["by rename", (made, database) => renameSync(made, database)],
    ["in place", (made, database) => writeFileSync(database, readFileSync(made))],
  ])("%s: a new generation has all rows of the new one", async (_, replace) => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    const { site } = source;
    source.insert(100);
    await source.ship();
    const before = source.rows();
    source.db.close();
    const made = join(site.folder, "made.db");
    const other = site.openNew(made);
    other.pragma("journal_mode = WAL");
    other.exec(`CREATE TABLE readings (${WITH_AUTOINCREMENT})`);
    source.insert(140, other);
    other.close();
    for (const suffix of ["-wal", "-shm"]) rmSync(site.database + suffix, { force: true });
    replace(made, site.database);
    expect(generationsIn(await source.ship())).toEqual([{ generation: 2, resumeAfter: null }]);
    const now = openForTest(site.database);
    await source.check([
      { sinceGeneration: 1, rows: before },
      { sinceGeneration: 2, rows: source.rows(now) },
    ]);
  });
});

test("VACUUM INTO, put in the place of a table without an INTEGER PRIMARY KEY, keeps the rowids: each row is shipped once", async () => {
  const source = await openSource(VALUES, tally);
  const { site } = source;
  source.insertAtOnce(100);
  await source.ship();
  const before = source.rows();
  const made = join(site.folder, "made.db");
  source.db.exec(`DELETE FROM readings WHERE rowid = 40; VACUUM INTO '${made}'`);
  source.db.close();
  for (const suffix of ["-wal", "-shm"]) rmSync(site.database + suffix, { force: true });
  renameSync(made, site.database);
  const now = site.openNew();
  now.pragma("journal_mode = WAL");
  site.log.beginAgain(now);
  source.insert(10, now);
  expect(generationsIn(await source.ship())).toEqual([]);
  await source.check([{ sinceGeneration: 1, rows: everSeen(before, source.rows(now)) }]);
});
