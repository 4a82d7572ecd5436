import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listObjects, readRows } from "../support/lake-reader.ts";
import { openForTest, type ReadingsDatabase } from "../support/readings.ts";
import { type LogLine, uploadOnce } from "../support/run-in-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const AUTOINCREMENT =
  "id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT, value TEXT, synced INTEGER DEFAULT 0";
const PLAIN = "id INTEGER PRIMARY KEY, timestamp TEXT, value TEXT, synced INTEGER DEFAULT 0";

describe.each([
  ["with AUTOINCREMENT", AUTOINCREMENT],
  ["without AUTOINCREMENT", PLAIN],
])("a source %s", (_, columns) => {
  it("stays in its generation while rows are deleted behind the cursor and updated", async () => {
    const { db, insert, upload, shipped } = setUp(columns);
    for (let run = 0; run < 5; run++) {
      insert(8);
      expect(await upload()).toEqual([]);
      db.exec("UPDATE readings SET synced = 1, value = value || ' corrected'");
      insert(2);
      db.exec("DELETE FROM readings WHERE id < (SELECT max(id) - 1 FROM readings)");
    }
    expect(await upload()).toEqual([]);
    expect(await shipped()).toEqual(numbers(1, 50).map((number) => `1/${number} reading ${number}`));
  });

  it.each([
    ["shorter than the cursor", 3],
    ["longer than the cursor", 25],
  ])("begins a generation with its first row when it was dropped and made again, %s", async (_, rows) => {
    const { db, insert, upload, shipped } = setUp(columns);
    insert(20);
    expect(await upload()).toEqual([]);
    db.exec(`DROP TABLE readings; CREATE TABLE readings (${columns})`);
    insert(rows);
    expect(await upload()).toEqual([{ generation: 2, resumeAfter: null }]);
    insert(2);
    expect(await upload()).toEqual([]);
    expect(await shipped()).toEqual([
      ...numbers(1, 20).map((number) => `1/${number} reading ${number}`),
      ...numbers(1, rows + 2).map((number) => `2/${number} reading ${number + 20}`),
    ]);
  });

  it("begins a generation when the database was replaced by another one", async () => {
    const { folder, db, insert, upload, shipped } = setUp(columns);
    insert(20);
    expect(await upload()).toEqual([]);
    db.close();
    for (const file of ["sensor.db", "sensor.db-wal", "sensor.db-shm"])
      rmSync(join(folder, file), { force: true });
    const replaced = openDatabase(folder, columns);
    insert(30, replaced);
    expect(await upload()).toEqual([{ generation: 2, resumeAfter: null }]);
    expect(await shipped()).toEqual([
      ...numbers(1, 20).map((number) => `1/${number} reading ${number}`),
      ...numbers(1, 30).map((number) => `2/${number} reading ${number + 20}`),
    ]);
  });

  it("begins a generation after the last row that still matches when a back-up was restored", async () => {
    const { folder, db, insert, upload, shipped } = setUp(columns);
    insert(8);
    expect(await upload()).toEqual([]);
    insert(2);
    await db.backup(join(folder, "backup.db"));
    insert(10);
    expect(await upload()).toEqual([]);
    const backup = openForTest(join(folder, "backup.db"));
    db.exec("DELETE FROM readings; DELETE FROM sqlite_sequence WHERE name = 'readings'");
    for (const row of backup.prepare("SELECT * FROM readings").raw().all() as unknown[][])
      db.prepare("INSERT INTO readings VALUES (?, ?, ?, ?)").run(...row);
    insert(20);
    expect(await upload()).toEqual([{ generation: 2, resumeAfter: 10 }]);
    expect(await shipped()).toEqual([
      ...numbers(1, 20).map((number) => `1/${number} reading ${number}`),
      ...numbers(11, 30).map((number) => `2/${number} reading ${number + 10}`),
    ]);
  });
});

describe("an emptied source", () => {
  it("goes on in its generation with AUTOINCREMENT", async () => {
    const { db, insert, upload, shipped } = setUp(AUTOINCREMENT);
    insert(10);
    expect(await upload()).toEqual([]);
    db.exec("DELETE FROM readings");
    expect(await upload()).toEqual([]);
    insert(5);
    expect(await upload()).toEqual([]);
    expect(await shipped()).toEqual(numbers(1, 15).map((number) => `1/${number} reading ${number}`));
  });

  it.each([3, 10, 15])("begins a generation without it, once it has %i rows", async (rows) => {
    const { db, insert, upload, shipped } = setUp(PLAIN);
    insert(10);
    expect(await upload()).toEqual([]);
    db.exec("DELETE FROM readings");
    expect(await upload(), "there is nothing to begin with").toEqual([]);
    insert(rows);
    expect(await upload()).toEqual([{ generation: 2, resumeAfter: null }]);
    expect(await shipped()).toEqual([
      ...numbers(1, 10).map((number) => `1/${number} reading ${number}`),
      ...numbers(1, rows).map((number) => `2/${number} reading ${number + 10}`),
    ]);
  });
});

describe("the largest rowid", () => {
  it("given again to another row begins a generation that has that row", async () => {
    const { db, insert, upload, shipped } = setUp(PLAIN);
    insert(10);
    expect(await upload()).toEqual([]);
    db.exec("DELETE FROM readings WHERE id = 10");
    insert(1);
    expect(await upload()).toEqual([{ generation: 2, resumeAfter: 9 }]);
    expect(await shipped()).toEqual([
      ...numbers(1, 10).map((number) => `1/${number} reading ${number}`),
      "2/10 reading 11",
    ]);
  });
});

describe("a generation", () => {
  it("is said loudly, numbers its extractions from 1, and stands in names and rows", async () => {
    const { folder, db, insert, upload } = setUp(PLAIN);
    insert(10);
    await upload();
    db.exec(`DROP TABLE readings; CREATE TABLE readings (${PLAIN})`);
    insert(6);
    const lines: LogLine[] = [];
    await upload(lines);
    const said = lines.find(({ msg }) => msg.includes("the source was replaced"));
    expect(said).toMatchObject({ level: 50, table: "readings" });
    expect(said?.msg).toMatch(/generation 2 begins with its first row.*may come twice.*check/s);
    const names = listObjects(join(folder, "lake")).map(({ name }) => [
      name.generation,
      name.sequence,
      name.rows,
    ]);
    expect(names).toEqual([
      [1, 1, 4],
      [1, 2, 4],
      [1, 3, 2],
      [2, 1, 4],
      [2, 2, 2],
    ]);
  });
});

function setUp(columns: string) {
  const folder = temporaryFolder();
  const lake = join(folder, "lake");
  const db = openDatabase(folder, columns);
  let written = 0;
  return {
    folder,
    db,
    /** Appends rows, each of which was never there before. */
    insert(count: number, into: ReadingsDatabase = db) {
      for (let row = 0; row < count; row++) {
        written++;
        const timestamp = new Date(Date.UTC(2026, 0, 1) + written * 1000).toISOString();
        into
          .prepare("INSERT INTO readings (timestamp, value) VALUES (?, ?)")
          .run(timestamp, `reading ${written}`);
      }
    },
    /** Runs once, and says which generations have begun. */
    async upload(lines: LogLine[] = []) {
      const argv = { sqlite: "sensor.db", directory: "lake", table: "readings", "max-batch-size": 4 };
      expect(await uploadOnce({ cwd: folder, argv, onLog: (line) => lines.push(line) })).toBe(0);
      return lines
        .filter(({ msg }) => msg.includes("was replaced"))
        .map(({ generation, resumeAfter }) => ({ generation, resumeAfter }));
    },
    /** `generation/rowid value` of every row in the lake. */
    async shipped() {
      const rows = await readRows(listObjects(lake));
      return rows.map(({ _generation, _rowid, value }) => `${_generation}/${_rowid} ${value}`);
    },
  };
}

function openDatabase(folder: string, columns: string): ReadingsDatabase {
  const db = openForTest(join(folder, "sensor.db"));
  db.pragma("journal_mode = WAL");
  // The control tables would make sqlite_sequence anyway.
  db.exec(`CREATE TABLE other (id INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE readings (${columns})`);
  return db;
}

function numbers(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, index) => first + index);
}
