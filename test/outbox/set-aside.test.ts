import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { OutboxDocument } from "../../src/cli/outbox-report.ts";
import { loadSettings } from "../../src/config/load-settings.ts";
import { systemClock } from "../../src/core/clock.ts";
import { createLogger } from "../../src/observe/logger.ts";
import { acquireStateLock } from "../../src/outbox/lock.ts";
import { setAsideObjects } from "../../src/set-aside.ts";
import { NODE, openSite } from "../faults/campaign.ts";
import { checkInvariants } from "../support/invariants.ts";
import { appendReadings, createReadings } from "../support/readings.ts";
import { runProgram } from "../support/uploader-process.ts";

/** Objects of ten rows wait, five of readings and one of valves, because the lake cannot be written. */
async function openStuckSite() {
  const site = await openSite();
  const { folder, database, stateDir, db } = site;
  createReadings(db, "valves");
  appendReadings(db, 50);
  appendReadings(db, 10, { table: "valves" });
  const flags = ["--sqlite", database, "--node-id", NODE, "--table", "*"];
  const env = { S3_ENABLED: "false", OUTPUT_DIRECTORY: "lake", STATE_DIR: stateDir };
  const run = (...args: string[]) => runProgram("uploader", args, { cwd: folder, env });
  const ship = () => run(...flags, "--once", "--max-batch-size", "10");
  const list = async () =>
    JSON.parse((await run("outbox", "list", "--json", "--sqlite", database)).stdout) as OutboxDocument;

  // A file stands in its place.
  writeFileSync(join(folder, "lake"), "");
  expect(await ship()).toMatchObject({ code: 1 });
  const { waiting } = await list();
  expect(waiting).toHaveLength(6);
  const hopeless = waiting.filter(
    ({ table }) => table === "readings",
  )[2] as OutboxDocument["waiting"][number];
  const check = (lossyGenerations: readonly number[]) =>
    checkInvariants(
      site.checkOptions([{ name: "readings" }, { name: "valves" }], {
        lossyGenerations,
        flags: { table: "readings,valves" },
      }),
    );
  return { site, run, ship, list, check, waiting, hopeless, flags };
}

const sha256 = (path: string) => createHash("sha256").update(readFileSync(path)).digest("hex");

test("moves an object out, so that those behind it go on, and leaves a gap that the lake names", async () => {
  const { site, run, ship, list, check, hopeless, flags } = await openStuckSite();
  const { stateDir, database, folder } = site;
  const file = join(stateDir, "outbox", hopeless.file);
  const asked = await run("outbox", "set-aside", hopeless.key, "--sqlite", database);
  expect(asked).toMatchObject({ code: 2, stderr: expect.stringContaining("nothing was changed") });
  expect(asked.stdout).toContain("1 object with 10 rows will leave the outbox");
  expect(existsSync(file)).toBe(true);

  const before = sha256(file);
  const done = await run(
    "outbox",
    "set-aside",
    `${hopeless.bucket}/${hopeless.key}`,
    "--yes",
    "--sqlite",
    database,
  );
  expect(done).toMatchObject({ code: 0, stderr: "" });
  const [path = ""] = (await list()).setAside;
  expect(done.stdout).toContain(`Set aside: ${path}`);
  expect(sha256(path)).toBe(before);
  const note = JSON.parse(readFileSync(`${path}.json`, "utf8"));
  expect(note).toMatchObject({
    ...{ node: NODE, table: "readings", bucket: hopeless.bucket, key: hopeless.key, sha256: before },
    ...{ rows: 10, firstRowid: "21", lastRowid: "30", generation: 1, sequence: 3 },
  });
  for (const each of [path, `${path}.json`]) expect(statSync(each).mode & 0o777).toBe(0o600);
  expect(statSync(join(stateDir, "set-aside")).mode & 0o777).toBe(0o700);
  expect(existsSync(file)).toBe(false);
  expect((await list()).waiting).toHaveLength(5);
  const status = site.db
    .prepare("SELECT status FROM pipeline_executions WHERE object_key = ?")
    .pluck()
    .get(hopeless.key);
  expect(status).toBe("set aside");

  rmSync(join(folder, "lake"));
  expect(await ship()).toMatchObject({ code: 0 });
  expect((await list()).waiting).toEqual([]);
  const { violations } = await check([]);
  const neverShipped = Array.from(
    { length: 10 },
    (_, index) => `I1: row ${21 + index} since generation 1 was never shipped`,
  );
  expect(violations).toEqual([...neverShipped, "I2: extraction 3 of generation 1 is missing"]);

  // The way back, where the source still has the rows.
  expect(await run("state", "rebuild", "--yes", ...flags)).toMatchObject({ code: 0 });
  expect((await check([1])).violations).toEqual([]);
  expect(existsSync(path)).toBe(true);
});

test("takes all of a table, and nothing of another", async () => {
  const { site, run, list } = await openStuckSite();
  const done = await run("outbox", "set-aside", "--table", "valves", "--yes", "--sqlite", site.database);
  expect(done).toMatchObject({ code: 0 });
  const { waiting, setAside } = await list();
  expect(setAside).toHaveLength(1);
  expect(waiting.map(({ table }) => table)).toEqual(Array(5).fill("readings"));
});

test("refuses while an uploader runs, and says who holds the state", async () => {
  const { site, run, hopeless, list } = await openStuckSite();
  const lock = acquireStateLock(site.stateDir, Date.now());
  onTestFinished(() => lock.release());
  const refused = await run("outbox", "set-aside", hopeless.key, "--yes", "--sqlite", site.database);
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(`process ${process.pid} on `) });
  expect((await list()).waiting).toHaveLength(6);
});

test("names what is wrong with a key that does not wait, with no choice, and with a folder without a state", async () => {
  const { site, run } = await openStuckSite();
  const flags = ["--yes", "--sqlite", site.database];
  expect(await run("outbox", "set-aside", "raw/t/no.parquet", ...flags)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/raw\/t\/no\.parquet.*\n.*outbox list/),
  });
  expect(await run("outbox", "set-aside", ...flags)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("--table"),
  });
  const elsewhere = join(site.folder, "elsewhere");
  expect(await run("outbox", "set-aside", "k", "--state-dir", elsewhere, ...flags)).toMatchObject({
    code: 2,
    stderr: expect.stringContaining("There is no state in"),
  });
  expect(existsSync(elsewhere)).toBe(false);
  expect(readdirSync(join(site.stateDir, "outbox"))).toHaveLength(6);
});

test("says of each object that waits why", async () => {
  const { run, site, waiting } = await openStuckSite();
  const { stdout } = await run("outbox", "list", "--sqlite", site.database);
  for (const { bucket, key, error } of waiting) {
    const line = stdout.split("\n").find((text) => text.includes(`${bucket}/${key}`));
    expect(line).toContain(error === null ? "not tried yet" : error);
  }
  expect(waiting.some(({ error }) => error !== null)).toBe(true);
});

test("a no changes nothing", async () => {
  const { site, list } = await openStuckSite();
  const env = { S3_ENABLED: "false", STATE_DIR: site.stateDir };
  const settings = loadSettings({ argv: { sqlite: site.database }, env, cwd: site.folder, hostname: "h" });
  const options = {
    settings,
    choice: { key: null, tables: ["valves"] },
    clock: systemClock,
    log: createLogger("fatal", { isTerminal: false }),
  };
  expect(await setAsideObjects({ ...options, confirm: async () => false })).toBeNull();
  expect((await list()).waiting).toHaveLength(6);
});
