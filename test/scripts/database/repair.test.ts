import { chmodSync, copyFileSync, existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { findShell } from "../../../scripts/database/recover-with-shell.ts";
import { appendReadings, openForTest, openReadings } from "../../support/readings.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { until } from "../../support/until.ts";
import { runProgram } from "../../support/uploader-process.ts";
import { startWriter } from "../../support/writer-process.ts";
import { makeDamaged } from "./damaged-database.ts";
import { fileHashes } from "./file-hashes.ts";
import { fixDatabase } from "./fix-database-command.ts";

const ROWS = 5_000;
/** Those that makeDamaged deletes again. */
const DELETED = 5;
const NOBODY = 65_534;
const WITHOUT_SHELL = { UPLOADER_SQLITE_SHELL: "none" };

test("is refused while another process has it open, and changes nothing", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "sensor.db");
  const writer = startWriter(path, 100);
  await until("the writer writes", () => writer.report().rows > 0);
  const { code, printed } = await fixDatabase(["--repair", path]);
  expect(printed).toMatch(/is not repaired: process \d+ \(.*\) has it open/);
  expect(code).toBe(1);
  expect(readdirSync(folder).filter((name) => name.includes("repair"))).toEqual([]);
  await writer.stop();
});

test.runIf(process.getuid?.() === 0)(
  "is refused while a process has it open that this user cannot see, though it writes nothing",
  async () => {
    const folder = temporaryFolder();
    const path = join(folder, "sensor.db");
    const writer = openReadings(path);
    appendReadings(writer, 10);
    chmodSync(folder, 0o777);
    for (const suffix of ["", "-wal", "-shm"]) chmodSync(path + suffix, 0o666);
    const { code, printed } = await fixDatabase(["--repair", path], { TMPDIR: folder }, NOBODY);
    expect(printed).toContain("is not repaired: a process that cannot be seen from here has it open");
    expect(code).toBe(1);
    expect(writer.open).toBe(true);
    expect(readdirSync(folder).filter((name) => name.includes("repair"))).toEqual([]);
  },
);

test("by another name: the file it stands for is repaired, with the log that lies beside that", async () => {
  const folder = temporaryFolder();
  const [path, name] = [join(folder, "data/left.db"), join(folder, "name.db")];
  mkdirSync(join(folder, "data"));
  appendReadings(openReadings(join(folder, "sensor.db")), 250);
  for (const suffix of ["", "-wal"]) copyFileSync(join(folder, `sensor.db${suffix}`), path + suffix);
  symlinkSync(path, name);
  const { code, printed } = await fixDatabase(["--repair", name]);
  expect(printed).toMatch(/readings +250/);
  expect(code).toBe(0);
  expect(lstatSync(name).isSymbolicLink()).toBe(true);
  expect(countRows(path)).toBe(250);
});

test("a sound one with a log that was left: by SQLite's backup, every row, the old one kept with its log", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "left.db");
  appendReadings(openReadings(join(folder, "sensor.db")), 250);
  for (const suffix of ["", "-wal"]) copyFileSync(join(folder, `sensor.db${suffix}`), path + suffix);
  const before = fileHashes(path);
  const { code, printed } = await fixDatabase(["--repair", path]);
  expect(printed).toContain("made by SQLite's backup");
  expect(printed).toMatch(/readings +250/);
  expect(code).toBe(0);
  expect(existsSync(`${path}-wal`)).toBe(false);
  expect(countRows(path)).toBe(250);
  expect(before).toHaveLength(2);
  expect(fileHashes(keptOf(printed))).toEqual(before);
});

const shell = findShell();

/** Never skipped, since not every machine of a CI has such a shell, but its name says which way was tried. */
test(`${shell ? "by the shell's .recover" : "table by table, as no sqlite3 here can .recover"}: an overwritten page takes its own rows alone`, async () => {
  const path = join(temporaryFolder(), "sensor.db");
  makeDamaged(path, ROWS, { leaves: [3] });
  const before = fileHashes(path);
  const { code, printed } = await fixDatabase(["--repair", path]);
  expect(printed).toContain(shell ? "made by the sqlite3 shell's .recover" : "table by table");
  expect(code).toBe(0);
  expectMost(path, 1);
  expect(fileHashes(keptOf(printed))).toEqual(before);
});

test.each([
  ["the first leaf", [0]],
  ["one in the middle", [20]],
  ["two that are neighbours and one apart", [10, 11, 30]],
  ["the last leaf", [-1]],
])("without the shell, table by table: %s", async (_, leaves) => {
  const path = join(temporaryFolder(), "sensor.db");
  makeDamaged(path, ROWS, { leaves });
  const { code, printed } = await fixDatabase(["--repair", path], WITHOUT_SHELL);
  expect(printed).toContain("made by reading table by table");
  expect(printed).toMatch(/readings: nothing could be read from rowid/);
  expect(printed).toMatch(/notes +1/);
  expect(code).toBe(0);
  expectMost(path, leaves.length);
});

test("without the first page nothing can be saved, and nothing is changed", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "sensor.db");
  makeDamaged(path, ROWS, { firstPage: true });
  const before = fileHashes(path);
  const { code, printed } = await fixDatabase(["--repair", path]);
  expect(printed).toContain("The schema, at the beginning of the file, cannot be read");
  expect(code).toBe(1);
  expect(fileHashes(path)).toEqual(before);
  expect(readdirSync(folder)).toEqual(["sensor.db"]);
});

test("the uploader goes on behind its cursor in the repaired file, and ships no row twice", async () => {
  const folder = temporaryFolder();
  const path = join(folder, "sensor.db");
  makeDamaged(path, ROWS, {});
  const upload = () =>
    runProgram("uploader", ["--once", "--sqlite", path, "--directory", join(folder, "lake")], {
      cwd: folder,
      env: { NODE_ID: "edge", SQLITE_TABLE_NAME: "readings", STATE_DIR: join(folder, "state") },
    });
  expect((await upload()).stdout).toContain(`"rows":${ROWS - DELETED},`);
  expect((await fixDatabase(["--repair", path])).code).toBe(0);
  appendReadings(openForTest(path), 10);
  const { code, stdout } = await upload();
  expect(code).toBe(0);
  expect(stdout).not.toContain("the source was replaced");
  expect(stdout).toContain('"rows":10,');
});

function keptOf(printed: string): string {
  return /The old file is kept.*: (\S+)/.exec(printed)?.[1] ?? "";
}

function countRows(path: string): number {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare("SELECT count(*) FROM readings").pluck().get() as number;
  } finally {
    db.close();
  }
}

/** A leaf has at most a hundred rows; what is there is as it was, and rowids are not given again. */
function expectMost(path: string, damagedLeaves: number): void {
  expect(countRows(path)).toBeGreaterThan(ROWS - DELETED - damagedLeaves * 100);
  expect(countRows(path)).toBeLessThan(ROWS - DELETED);
  const db = openForTest(path);
  const one = (sql: string) => db.prepare(sql).pluck().get();
  expect(one("PRAGMA integrity_check")).toBe("ok");
  expect(one("PRAGMA journal_mode")).toBe("wal");
  expect(one("SELECT count(*) FROM readings WHERE sensor_id IS NOT 'sensor-' || (id % 7)")).toBe(0);
  expect(one("SELECT group_concat(name) FROM sqlite_schema WHERE type = 'index' AND sql IS NOT NULL")).toBe(
    "by_sensor",
  );
  appendReadings(db, 1);
  expect(one("SELECT seq FROM sqlite_sequence WHERE name = 'readings'")).toBe(ROWS + 1);
}
