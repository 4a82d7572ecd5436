import { execFileSync } from "node:child_process";
import {
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { FileSystem } from "../../src/sqlite/file-system.ts";
import { createExtractionThreads } from "../../src/threads/extraction-threads.ts";
import { rowsOf } from "../support/invariants.ts";
import { listObjects, readRows } from "../support/lake-reader.ts";
import { openForTest } from "../support/readings.ts";
import { whyNoMount } from "../support/small-disk.ts";
import { suiteWith } from "../support/suite-with.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { type CheckedRun, type Flags, type Site, tallyScenario } from "./campaign.ts";
import {
  COLUMNS,
  changingColumns,
  expectChangingColumns,
  generationsIn,
  linesOf,
  openSource,
  SCHEMA_CHANGES,
  type SourceSite,
  VALUES,
  WITH_AUTOINCREMENT,
} from "./source-site.ts";

const tally = tallyScenario("4 the source, while the uploader runs");

/** Starts the uploader with short pauses, in the test's process. */
function startHere(source: SourceSite, flags: Flags = {}, options: Parameters<Site["startHere"]>[1] = {}) {
  return source.site.startHere({ interval: 0.1, ...flags }, options);
}

/** Waits until the objects have so many rows together. */
async function untilShipped(source: SourceSite, rows: number): Promise<void> {
  const shipped = () => source.site.place.objects().reduce((sum, { name }) => sum + name.rows, 0);
  await until(`${rows} rows are shipped`, () => shipped() >= rows);
}

describe("a database file replaced while the uploader has it open", () => {
  test("by rename: what is left in the old file is shipped, then the new one is opened", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    const { database } = source.site;
    source.insert(50);
    const uploader = startHere(source, { interval: 1 });
    await untilShipped(source, 50);
    // Rows that no cycle has seen when the file is taken away.
    source.insert(30);
    const before = source.rows();
    for (const suffix of ["", "-wal", "-shm"]) renameSync(database + suffix, `${database}.old${suffix}`);
    const other = source.site.openNew();
    other.pragma("journal_mode = WAL");
    other.exec(`CREATE TABLE readings (${WITH_AUTOINCREMENT})`);
    source.insert(90, other);
    await untilShipped(source, 170);
    expect(await uploader.stop()).toBe(0);
    expect(generationsIn(uploader.log)).toEqual([{ generation: 2, resumeAfter: null }]);
    expect(uploader.log.map(({ msg }) => msg).join("\n")).toMatch(/sensor\.db is another file now/);
    await source.check([
      { sinceGeneration: 1, rows: before },
      { sinceGeneration: 2, rows: source.rows(other) },
    ]);
  });

  test("by rename, while the outbox cannot be written: the old file is kept open until all of it is extracted", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    const { database, stateDir } = source.site;
    source.insert(50);
    const uploader = startHere(source, { interval: 0.3 });
    await untilShipped(source, 50);
    // A file in the place of the folder stands for a disk that is full.
    const outbox = join(stateDir, "outbox");
    renameSync(outbox, `${outbox}.away`);
    closeSync(openSync(outbox, "w"));
    source.insert(30);
    const before = source.rows();
    for (const suffix of ["", "-wal", "-shm"]) renameSync(database + suffix, `${database}.old${suffix}`);
    const other = source.site.openNew();
    other.pragma("journal_mode = WAL");
    other.exec(`CREATE TABLE readings (${WITH_AUTOINCREMENT})`);
    source.insert(90, other);
    await until("a cycle has failed", () => uploader.log.some(({ msg }) => msg.startsWith("not extracted")));
    rmSync(outbox);
    renameSync(`${outbox}.away`, outbox);
    await untilShipped(source, 170);
    expect(await uploader.stop()).toBe(0);
    await source.check([
      { sinceGeneration: 1, rows: before },
      { sinceGeneration: 2, rows: source.rows(other) },
    ]);
  });

  test("by rename, with a backlog in the old file and nothing in the new one: threads do not open the new one", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    const { database } = source.site;
    source.insert(50);
    const flags = { interval: 1, "max-batch-size": 1_000_000 };
    const uploader = startHere(source, flags, { createThreads: createExtractionThreads });
    await untilShipped(source, 50);
    // More than one read, so that the rest of it is left to the threads, which start only then.
    source.insert(20_000);
    const before = source.rows();
    for (const suffix of ["", "-wal", "-shm"]) renameSync(database + suffix, `${database}.old${suffix}`);
    const other = source.site.openNew();
    other.pragma("journal_mode = WAL");
    other.exec(`CREATE TABLE readings (${WITH_AUTOINCREMENT})`);
    await untilShipped(source, 20_050);
    source.insert(90, other);
    await untilShipped(source, 20_140);
    expect(await uploader.stop()).toBe(0);
    await source.check([
      { sinceGeneration: 1, rows: before },
      { sinceGeneration: 2, rows: source.rows(other) },
    ]);
  });

  test("a new file that has no table yet is waited for", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    const { database } = source.site;
    source.insert(50);
    const uploader = startHere(source);
    await untilShipped(source, 50);
    const before = source.rows();
    for (const suffix of ["", "-wal", "-shm"]) renameSync(database + suffix, `${database}.old${suffix}`);
    closeSync(openSync(database, "w"));
    await until("it is said", () =>
      uploader.log.some(({ msg }) => msg.includes("cannot be used; it is tried again")),
    );
    const other = source.site.openNew();
    other.pragma("journal_mode = WAL");
    other.exec(`CREATE TABLE readings (${WITH_AUTOINCREMENT})`);
    source.insert(20, other);
    await untilShipped(source, 70);
    expect(await uploader.stop()).toBe(0);
    await source.check([
      { sinceGeneration: 1, rows: before },
      { sinceGeneration: 2, rows: source.rows(other) },
    ]);
  });

  test("by rename, with the old write-ahead log left beside it: said loudly", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    const { site } = source;
    source.insert(50);
    const uploader = startHere(source);
    await untilShipped(source, 50);
    const before = source.rows();
    const made = join(site.folder, "made.db");
    const other = site.openNew(made);
    other.exec(`CREATE TABLE readings (${WITH_AUTOINCREMENT})`);
    source.insert(60, other);
    const rows = source.rows(other);
    other.close();
    copyFileSync(made, `${made}.kept`);
    renameSync(made, site.database);
    await until("it is said", () =>
      uploader.log.some(
        ({ level, msg }) => level === 50 && /write-ahead log was left beside it.*integrity_check/.test(msg),
      ),
    );
    await uploader.stop().catch(() => {});
    // Whatever SQLite has made of the two, the operator takes it away.
    source.db.close();
    for (const suffix of ["-wal", "-shm"]) rmSync(site.database + suffix, { force: true });
    copyFileSync(`${made}.kept`, site.database);
    await source.check([
      { sinceGeneration: 1, rows: before },
      { sinceGeneration: 2, rows },
    ]);
  });

  test("in place, by a transaction of SQLite: a new generation has all rows", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    const { site } = source;
    source.insert(50);
    const uploader = startHere(source);
    await untilShipped(source, 50);
    const before = source.rows();
    const other = openForTest(join(site.folder, "made.db"));
    other.exec(`CREATE TABLE readings (${WITH_AUTOINCREMENT})`);
    source.insert(80, other);
    source.db.exec(`ATTACH '${join(site.folder, "made.db")}' AS made; BEGIN IMMEDIATE;
      DELETE FROM readings; UPDATE sqlite_sequence SET seq = 0 WHERE name = 'readings';
      INSERT INTO readings SELECT * FROM made.readings; COMMIT; DETACH made`);
    await untilShipped(source, 130);
    expect(await uploader.stop()).toBe(0);
    await source.check([
      { sinceGeneration: 1, rows: before },
      { sinceGeneration: 2, rows: source.rows() },
    ]);
  });
});

describe("a table dropped while the uploader runs", () => {
  test.each([
    ["shorter", 30],
    ["already longer than the cursor", 80],
  ])("is missed aloud in the cycles without it, and made again, %s, begins a generation", async (_, rows) => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    source.insert(50);
    const uploader = startHere(source);
    await untilShipped(source, 50);
    const before = source.rows();
    source.db.exec("DROP TABLE readings");
    const missed = () => uploader.log.filter(({ err }) => err?.code === "SOURCE_TABLE_MISSING");
    await until("some cycles have missed it", () => missed().length >= 3);
    source.db.exec(`CREATE TABLE readings (${WITH_AUTOINCREMENT})`);
    source.insert(rows);
    await untilShipped(source, 50 + rows);
    expect(await uploader.stop()).toBe(0);
    expect(generationsIn(uploader.log)).toEqual([{ generation: 2, resumeAfter: null }]);
    for (const line of missed())
      expect(line).toMatchObject({
        level: 50,
        table: "readings",
        msg: expect.stringContaining("tries again"),
      });
    await source.check([
      { sinceGeneration: 1, rows: before },
      { sinceGeneration: 2, rows: source.rows() },
    ]);
  });
});

describe("the schema changes in the middle of an extraction", () => {
  const ROWS = 60_000;
  test.each(Object.entries(SCHEMA_CHANGES))(
    "%s: no object mixes two schemas",
    async (_, { sql, columns: told }) => {
      const source = await openSource(WITH_AUTOINCREMENT, tally, told);
      source.insert(ROWS);
      source.db.exec("UPDATE readings SET location = id + 0.5");
      const { stateDir } = source.site;
      const [rows, columns] = [source.rows(), changingColumns(source.db)];
      const uploader = startHere(source, { interval: 60 });
      const outbox = join(stateDir, "outbox");
      await until("the first object is in the making", () =>
        readdirSync(outbox, { encoding: "utf8" }).some((file) => file.startsWith("1-1-1-raw")),
      );
      source.db.exec(sql);
      await untilShipped(source, ROWS);
      expect(await uploader.stop()).toBe(0);
      const [first, ...others] = source.site.place.objects().map(({ name }) => name);
      expect(others).toHaveLength(1);
      await expectChangingColumns(source, columns, Number(first?.range.last));
      await source.check([{ sinceGeneration: 1, rows }]);
    },
  );
});

describe("VACUUM of a table without an INTEGER PRIMARY KEY, while the uploader runs", () => {
  test("as retention does it, with all rows of one timestamp: a new generation has all rows that are left", async () => {
    const source = await openSource(VALUES, tally);
    const { db } = source;
    source.insertAtOnce(100);
    const uploader = startHere(source);
    await untilShipped(source, 100);
    const before = source.rows();
    db.exec("DELETE FROM readings WHERE rowid <= 60; VACUUM");
    source.insertAtOnce(80);
    await untilShipped(source, 100 + 120);
    expect(await uploader.stop()).toBe(0);
    expect(generationsIn(uploader.log)).toEqual([{ generation: 2, resumeAfter: null }]);
    expect(uploader.log.find(({ msg }) => msg.includes("VACUUM may have given"))?.level).toBe(50);
    await source.check([
      { sinceGeneration: 1, rows: before },
      { sinceGeneration: 2, rows: source.rows() },
    ]);
  });

  test("again and again, of a table that only grows: each row is shipped once", async () => {
    const source = await openSource(VALUES, tally);
    const uploader = startHere(source);
    for (let shipped = 20; shipped <= 100; shipped += 20) {
      source.insertAtOnce(20);
      await untilShipped(source, shipped);
      source.db.exec("VACUUM");
    }
    expect(await uploader.stop()).toBe(0);
    expect(generationsIn(uploader.log)).toEqual([]);
    await source.check([{ sinceGeneration: 1, rows: source.rows() }]);
  });
});

describe("rowids", () => {
  test("negative ones, 0 and 2^63-1 are shipped; that SQLite has none left is said", async () => {
    const source = await openSource(`id INTEGER PRIMARY KEY, ${VALUES}`, tally);
    const insert = source.db.prepare("INSERT INTO readings (id, timestamp) VALUES (?, ?)");
    const ids = [-(2n ** 63n), -42n, -1n, 0n, 1n, 2n ** 62n, 2n ** 63n - 1n];
    for (const id of ids) insert.run(id, `2026-01-01T00:00:00.${id < 0n ? -id % 1000n : id % 1000n}Z`);
    const lines = await source.ship();
    expect(lines.filter(({ level }) => level >= 50).map(({ msg }) => msg)).toEqual([
      expect.stringMatching(/largest rowid there can be, 2\^63-1.*by chance.*make the table anew/),
    ]);
    const shipped = await readRows(listObjects(join(source.site.folder, "lake")));
    expect(shipped.map(({ _rowid }) => _rowid)).toEqual(ids);
    await source.check([{ sinceGeneration: 1, rows: source.rows() }]);
  });

  test("given explicitly just below the cursor are not shipped, and said", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    source.insert(50);
    source.db.exec("DELETE FROM readings WHERE id = 40");
    const rows = source.rows();
    const uploader = startHere(source);
    await untilShipped(source, 49);
    source.db.exec("INSERT INTO readings (id, timestamp) VALUES (40, 'late')");
    await until("it is said", () =>
      uploader.log.some(
        ({ level, msg }) => level === 50 && /1 rows were inserted between the rowids 1 and 50/.test(msg),
      ),
    );
    expect(await uploader.stop()).toBe(0);
    source.db.exec("DELETE FROM readings WHERE id = 40");
    await source.check([{ sinceGeneration: 1, rows }]);
  });
});

describe("a writer that holds its lock", () => {
  test("longer than busy_timeout, in rollback-journal mode: the cycle fails, says so, and a later one ships", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    source.db.pragma("journal_mode = DELETE");
    source.insert(20);
    const uploader = source.site.start(["--interval", "0.1"]);
    await uploader.untilOutput(/"msg":"delivered"/);
    source.db.exec("BEGIN EXCLUSIVE");
    source.insert(30);
    await uploader.untilOutput(/sensor\.db is locked by another process.*the next cycle or run tries again/);
    source.db.exec("COMMIT");
    await untilShipped(source, 50);
    uploader.process.kill("SIGTERM");
    expect(await uploader.finished).toMatchObject({ code: 0, stderr: "" });
    expect(source.db.pragma("journal_mode", { simple: true })).toBe("delete");
    await source.check([{ sinceGeneration: 1, rows: source.rows() }]);
  });

  test("in WAL mode: rows that are committed are shipped meanwhile, and statistics wait", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    source.insert(20);
    source.db.exec("BEGIN IMMEDIATE");
    const uploader = startHere(source);
    await untilShipped(source, 20);
    source.insert(10);
    source.db.exec("COMMIT");
    await untilShipped(source, 30);
    const delivered = source.db
      .prepare("SELECT count(*) FROM pipeline_executions WHERE status = 'delivered'")
      .pluck();
    const has = source.db
      .prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'pipeline_executions'")
      .pluck();
    await until("the statistics are there", () => has.get() === 1 && Number(delivered.get()) >= 2);
    expect(await uploader.stop()).toBe(0);
    await source.check([{ sinceGeneration: 1, rows: source.rows() }]);
  });
});

describe("a damaged database", () => {
  test("a page of one table that is overwritten: said, nothing of it lost up to there, other tables go on", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    const { site, db } = source;
    source.insert(40);
    db.exec(`CREATE TABLE other (${WITH_AUTOINCREMENT})`);
    db.exec("INSERT INTO other SELECT * FROM readings");
    const flags = { table: "readings,other" };
    expect(await site.ship(flags)).toMatchObject({ code: 0 });
    const readings = source.rows();
    source.insert(4_000);
    db.exec("INSERT INTO other SELECT * FROM readings WHERE id > 40");
    const other = rowsOf(db, "other", "id", COLUMNS);
    db.pragma("wal_checkpoint(TRUNCATE)");
    const pages = db
      .prepare("SELECT pageno FROM dbstat WHERE name = 'readings' AND pagetype = 'leaf' ORDER BY pageno")
      .pluck()
      .all() as number[];
    const size = db.pragma("page_size", { simple: true }) as number;
    db.close();
    // The last one too, which the first look at the table reads.
    for (const page of [pages[20], pages.at(-1)]) overwrite(site.database, ((page as number) - 1) * size);
    const { code, printed } = await site.ship(flags);
    expect(code).toBe(1);
    const errors = linesOf(printed).flatMap(({ level, table, err }) =>
      level >= 50 && err ? [[table, err.code, err.message]] : [],
    );
    expect(errors).toEqual([
      ["readings", "SOURCE_UNREADABLE", expect.stringMatching(/sensor\.db is damaged/)],
    ]);
    const rows = listObjects(join(site.folder, "lake")).map(({ name }) => [name.table, name.rows]);
    expect(rows).toEqual([
      ["other", 40],
      ["other", 4_000],
      ["readings", 40],
    ]);
    const tables = Object.entries({ readings, other }).map(([name, rows]) => ({
      ...{ name, columns: COLUMNS },
      incarnations: [{ sinceGeneration: 1, rows }],
    }));
    const findings = await site.check(tables, { flags, damagedTables: ["readings"] });
    expect(findings.rows).toBe(4_080);
    tally.add(findings);
  });

  test("a write-ahead log that is cut short: the rows that SQLite gives up are not missed, later ones come", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    const { site, db } = source;
    source.insert(60);
    db.pragma("wal_checkpoint(TRUNCATE)");
    for (let batch = 0; batch < 10; batch++) source.insert(5);
    await source.ship();
    const before = source.rows();
    // As after a loss of power: the file and half of its log, without the index that only memory has.
    const copy = join(site.folder, "copy.db");
    copyFileSync(site.database, copy);
    copyFileSync(`${site.database}-wal`, `${copy}-wal`);
    truncateSync(`${copy}-wal`, Math.floor(statSync(`${copy}-wal`).size / 2));
    db.close();
    for (const suffix of ["", "-wal"]) renameSync(copy + suffix, site.database + suffix);
    const after = site.openNew();
    // What SQLite has kept is what there was for the uploader.
    site.log.beginAgain(after);
    const left = Number(after.prepare("SELECT count(*) FROM readings").pluck().get());
    expect(left).toBeGreaterThanOrEqual(60);
    expect(left).toBeLessThan(110);
    source.insert(70, after);
    // One of the last 16 rows, or else where an object ended.
    const resumeAfter = left > 110 - 16 ? left : Math.floor(left / 20) * 20;
    expect(generationsIn(await source.ship())).toEqual([{ generation: 2, resumeAfter }]);
    await source.check([
      { sinceGeneration: 1, rows: before },
      { sinceGeneration: 2, rows: source.rows(after), resumeAfter },
    ]);
  });
});

describe("a network file system", () => {
  const NFS: FileSystem = { type: 0x6969n, mountType: null };
  const LOCAL: FileSystem = { type: 0xef53n, mountType: null };

  test.each([
    ["the database", "sensor.db"],
    ["the state folder", "state"],
  ])("under %s is refused with the reason, and taken when told to", async (_, name) => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    const { site } = source;
    source.insert(30);
    const here = { readFileSystem: (path: string) => (path === join(site.folder, name) ? NFS : LOCAL) };
    const refused = await site.refuse({ here });
    expect(refused.printed).toMatch(/is on a network or shared file system \(NFS\)/);
    expect(refused.printed).toMatch(/--allow-network-filesystem/);
    tally.add(refused);
    const flags = { "allow-network-filesystem": true };
    await source.check([{ sinceGeneration: 1, rows: source.rows() }], { flags, here });
  });
});

suiteWith(whyNoMount(), "a database on a read-only mount", () => {
  test("is read while the sensor has it open, which keeps -shm there; control tables lie elsewhere", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    source.insert(30);
    const { site } = source;
    const run = fromMount(site);
    expect(await site.ship(run.flags)).toMatchObject({ code: 0 });
    source.insert(5);
    expect(await site.ship(run.flags)).toMatchObject({ code: 0 });
    await untilShipped(source, 35);
    await source.check([{ sinceGeneration: 1, rows: source.rows() }], run);
  });

  test("without -shm is refused with what to do", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    const { site } = source;
    source.insert(30);
    const rows = source.rows();
    source.db.close();
    const run = fromMount(site);
    const refused = await site.refuse(run);
    expect(refused.printed).toMatch(/sensor\.db cannot be used: .*(SQLITE_CANTOPEN|SQLITE_READONLY)/);
    expect(refused.printed).toMatch(/-shm/);
    tally.add(refused);
    // With it there, all is shipped.
    openForTest(site.database).pragma("user_version");
    await source.check([{ sinceGeneration: 1, rows }], run);
  });

  test("in rollback-journal mode needs nothing beside it", async () => {
    const source = await openSource(WITH_AUTOINCREMENT, tally);
    source.insert(30);
    const rows = source.rows();
    source.db.pragma("journal_mode = DELETE");
    source.db.close();
    await source.check([{ sinceGeneration: 1, rows }], fromMount(source.site));
  });

  /** How the uploader runs on it; the checker looks at the same files without the mount. */
  function fromMount({ folder }: Site): CheckedRun & { readonly flags: Flags } {
    const controlDatabase = join(folder, "control.db");
    return { controlDatabase, flags: { sqlite: mountReadOnly(folder), "pipeline-db": controlDatabase } };
  }

  function mountReadOnly(folder: string): string {
    const mounted = temporaryFolder();
    execFileSync("mount", ["--bind", folder, mounted]);
    onTestFinished(() => void execFileSync("umount", ["-l", mounted]));
    execFileSync("mount", ["-o", "remount,bind,ro", mounted]);
    return join(mounted, "sensor.db");
  }
});

function overwrite(path: string, at: number): void {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(512, 0xff), 0, 512, at);
  closeSync(file);
}
