import { copyFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { appendReadings, openForTest, openReadings } from "../../support/readings.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";
import { startWriter } from "../../support/writer-process.ts";
import { makeDamaged } from "./damaged-database.ts";
import { fileHashes } from "./file-hashes.ts";
import { fixDatabase } from "./fix-database-command.ts";

describe("--check", () => {
  test("a sound database, whose log is left as it is", async () => {
    const path = join(temporaryFolder(), "sensor.db");
    appendReadings(openReadings(path), 100);
    const copy = join(temporaryFolder(), "copy.db");
    for (const suffix of ["", "-wal"]) copyFileSync(path + suffix, copy + suffix);
    const before = fileHashes(copy);
    const { code, printed } = await fixDatabase([copy]);
    expect(printed).toMatch(/Write-ahead log: +[\d.]+ kB/);
    expect(printed).toMatch(/Journal mode: +wal/);
    expect(printed).toMatch(/Pages: +\d+ of 4.1 kB, 0 of them free/);
    expect(printed).toMatch(/Integrity: +ok/);
    expect(printed).toContain("No process that can be seen from here has it open.");
    expect(code).toBe(0);
    expect(fileHashes(copy)).toEqual(before);
  });

  test("overwritten pages: what SQLite says, and exit code 1", async () => {
    const path = join(temporaryFolder(), "sensor.db");
    makeDamaged(path, 5_000, { leaves: [3] });
    const { code, printed } = await fixDatabase(["--check", path]);
    expect(printed).toMatch(/Integrity: +DAMAGED/);
    expect(printed).toMatch(/What SQLite says is wrong:\n {2}.*(tree|page|malformed)/i);
    expect(code).toBe(1);
  });

  test("names the process that has it open, and a writer that holds its lock", async () => {
    const path = join(temporaryFolder(), "sensor.db");
    const writer = startWriter(path, 100);
    await until("the writer writes", () => writer.report().rows > 0);
    const db = openForTest(path);
    db.exec("BEGIN IMMEDIATE");
    const { code, printed } = await fixDatabase([path]);
    db.exec("ROLLBACK");
    expect(printed).toMatch(/Write lock: +held by another process/);
    expect(printed).toMatch(/\d+ +sensor\.db, sensor\.db-shm, sensor\.db-wal +.*node/);
    expect(code).toBe(0);
  });

  test("without a name: the sensor's database, wherever the control tables are", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "sensor.db");
    makeDamaged(path, 5_000, { leaves: [3] });
    openReadings(join(folder, "pipeline.db"));
    const config = join(folder, "config.yaml");
    writeFileSync(config, "sqlite: sensor.db\npipeline_db: pipeline.db\n");
    const { code, printed } = await fixDatabase([], { CONFIG_PATH: config });
    expect(printed).toMatch(new RegExp(`^Database: +${path}$`, "m"));
    expect(code).toBe(1);
    writeFileSync(config, "pipeline_db: pipeline.db\n");
    expect(await fixDatabase([], { CONFIG_PATH: config })).toEqual({
      code: 2,
      printed: expect.stringContaining("No database is named.\nName it as the last word, in SQLITE_PATH"),
    });
  });

  test("a file that is missing, and flags that exclude each other", async () => {
    const path = join(temporaryFolder(), "sensor.db");
    const { code, printed } = await fixDatabase([path]);
    expect({ code, printed }).toEqual({
      code: 1,
      printed: expect.stringContaining(`no database at ${path}`),
    });
    expect((await fixDatabase(["--check", "--repair", path])).code).toBe(2);
  });
});

describe("--checkpoint", () => {
  test("empties the log beside a connection that is at rest", async () => {
    const path = join(temporaryFolder(), "sensor.db");
    appendReadings(openReadings(path), 100);
    expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
    const { code, printed } = await fixDatabase(["--checkpoint", path]);
    expect(printed).toMatch(/is empty; it had [\d.]+ kB/);
    expect(code).toBe(0);
    expect(statSync(`${path}-wal`).size).toBe(0);
  });

  test("says that it is busy while another one reads, and names that", async () => {
    const path = join(temporaryFolder(), "sensor.db");
    const db = openReadings(path);
    appendReadings(db, 100);
    const reader = openForTest(path);
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM readings").get();
    appendReadings(db, 1);
    const { code, printed } = await fixDatabase(["--checkpoint", path]);
    expect(printed).toMatch(/could not be emptied: another connection reads or writes/);
    expect(printed).toContain(String(process.pid));
    expect(code).toBe(1);
  });

  test("a database without a log", async () => {
    const path = join(temporaryFolder(), "sensor.db");
    openReadings(path, { journalMode: "delete" });
    const { code, printed } = await fixDatabase(["--checkpoint", path]);
    expect(printed).toContain("its journal mode is delete");
    expect(code).toBe(1);
  });
});
