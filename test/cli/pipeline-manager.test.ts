import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir, userInfo } from "node:os";
import { join, resolve } from "node:path";
import Database from "better-sqlite3";
import { afterAll, describe, expect, test } from "vitest";
import { parseDuration } from "../../src/cli/duration.ts";
import { formatRelative } from "../../src/cli/moment.ts";
import { parsePipelineType } from "../../src/cli/pipeline-type.ts";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { recordExecutions } from "../../src/pipeline/executions.ts";
import { type Finished, type ProgramOptions, startProgram } from "../support/uploader-process.ts";

const ROOT = resolve(import.meta.dirname, "../..");

/** The program as it is built, told of no zone but UTC. */
function start(args: readonly string[], { cwd = ROOT, env = {} }: ProgramOptions = {}) {
  const { process: child, finished } = startProgram("pipeline-manager", args, {
    cwd,
    env: { TZ: "UTC", ...env },
  });
  return { child, outcome: finished };
}

function run(args: readonly string[], options: ProgramOptions = {}): Promise<Finished> {
  return start(args, options).outcome;
}

async function runJson(...args: string[]) {
  const { code, stdout, stderr } = await run([...args, "--json"]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout);
}

const base = mkdtempSync(join(tmpdir(), "pipeline-manager-"));
const connections: Database.Database[] = [];

afterAll(() => {
  for (const db of connections) db.close();
  rmSync(base, { recursive: true, force: true });
});

function temporaryFolder(): string {
  return mkdtempSync(join(base, "test-"));
}

/** A database as a sensor leaves it. */
function sensorDatabase(folder = temporaryFolder(), name = "sensor_data.db"): string {
  const path = join(folder, name);
  const db = new Database(path);
  db.exec("CREATE TABLE sensor_readings(id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT)");
  db.close();
  return path;
}

function lockedBy(path: string, begin: string): Database.Database {
  const db = new Database(path);
  connections.push(db);
  db.exec(begin);
  return db;
}

describe.concurrent("get", () => {
  test("shows the default on a database without control tables, and makes nothing", async () => {
    const db = sensorDatabase();
    const before = readFileSync(db);
    const [text, json, history, stats] = await Promise.all([
      run(["--db", db, "get"]),
      runJson("--db", db, "get"),
      run(["--db", db, "history"]),
      run(["--db", db, "stats"]),
    ]);
    expect(text).toMatchObject({ code: 0, stderr: "" });
    expect(text.stdout).toMatch(
      /^Type: +raw\nUpdated: +never\nUpdated by: +system\nReason: +Initial setup\n/,
    );
    expect(json).toEqual({
      database: db,
      type: "raw",
      known: true,
      id: 0,
      updatedAt: null,
      updatedBy: "system",
      reason: "Initial setup",
      expiresAt: null,
      afterExpiry: null,
      warning: null,
    });
    expect(history.stdout).toBe(`Nobody has set a pipeline type in ${db} yet; raw is in effect.\n`);
    expect(stats.stdout).toBe(`No object is recorded in ${db} in the last 30 days.\n`);
    expect(readFileSync(db)).toEqual(before);
    expect(readdirSync(join(db, ".."))).toEqual(["sensor_data.db"]);
  });

  test("tells a type that this version does not know, and an expiry that is no time", async () => {
    const db = sensorDatabase();
    await run(["--db", db, "set", "aggregated"]);
    const insert = "INSERT INTO pipeline_config(pipeline_type, updated_at, updated_by, expires_at) VALUES";
    const writer = lockedBy(db, `${insert} ('quantum', '2026-07-31T10:00:00.000Z', 'v9', NULL)`);
    const json = await runJson("--db", db, "get");
    expect(json).toMatchObject({ type: "quantum", known: false, id: 2 });
    expect(json.warning).toContain('"quantum"');
    writer.exec(`${insert} ('raw', '', '\u001b[31m\nbad', 'soon')`);
    const { stdout } = await run(["--db", db, "get"]);
    expect(stdout).toMatch(/^Type: +raw\n/);
    expect(stdout).toMatch(/\n\n.*"soon", which is not a time/);
    expect(stdout).toMatch(/\nUpdated by: +\[31m bad\n/);
  });
});

describe.concurrent("set", () => {
  test("says what it did, until when, and what comes then", async () => {
    const db = sensorDatabase();
    const first = await run(["--db", db, "set", "aggregated", "--by", "alice", "--reason", "thin line"]);
    expect(first).toMatchObject({ code: 0, stderr: "" });
    expect(first.stdout).toContain("The pipeline type is now aggregated; it was raw.\n");
    expect(first.stdout).toContain("revision 1 by alice: thin line\n");

    const second = await run(["set", "emergency", "--for", "30m", "--db", db]);
    expect(second.stdout).toContain("The pipeline type is now emergency; it was aggregated.\n");
    expect(second.stdout).toMatch(
      /It ends at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC, in 30 minutes; then comes aggregated\.\n/,
    );
    expect(second.stdout).toContain(`revision 2 by ${userInfo().username}.\n`);

    const [json, text, abroad] = await Promise.all([
      runJson("--db", db, "get"),
      run(["--db", db, "get"]),
      run(["--db", db, "get"], { env: { TZ: "Asia/Kolkata" } }),
    ]);
    expect(json).toMatchObject({ type: "emergency", id: 2, reason: null, afterExpiry: "aggregated" });
    expect(Date.parse(json.expiresAt) - Date.parse(json.updatedAt)).toBe(30 * 60_000);
    expect(text.stdout).toMatch(/\nUpdated: .* UTC, (just now|\d+ seconds? ago)\n/);
    expect(text.stdout).toMatch(/\nExpires: .* UTC, in (29|30) minutes, then aggregated\n/);
    expect(abroad.stdout).toMatch(
      /\nUpdated: +\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+05:30 \(.*\d\d:\d\d:\d\d UTC\), /,
    );
  });

  test("prints one JSON document", async () => {
    const db = sensorDatabase();
    const json = await runJson("--db", db, "set", "schematized", "--by", "bob", "--for", "2h");
    expect(json).toEqual({
      database: db,
      type: "schematized",
      id: 1,
      updatedAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      updatedBy: "bob",
      reason: null,
      expiresAt: new Date(Date.parse(json.updatedAt) + 7_200_000).toISOString(),
      afterExpiry: "raw",
      previousType: "raw",
    });
  });

  test("records every one of many that come at once, on a database without control tables", async () => {
    const db = sensorDatabase();
    const people = Array.from({ length: 8 }, (_, index) => `operator-${index}`);
    const outcomes = await Promise.all(people.map((by) => run(["--db", db, "set", "emergency", "--by", by])));
    expect(outcomes.map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      people.map(() => ({ code: 0, stderr: "" })),
    );
    const { revisions } = await runJson("--db", db, "history");
    expect(revisions.map(({ id }: { id: number }) => id)).toEqual([8, 7, 6, 5, 4, 3, 2, 1]);
    expect(revisions.map(({ updatedBy }: { updatedBy: string }) => updatedBy).sort()).toEqual(people);
  });
});

describe.concurrent("a locked database", () => {
  const isOpenIn = (pid: number, path: string) =>
    readdirSync(`/proc/${pid}/fd`).some((fd) => {
      const link = `/proc/${pid}/fd/${fd}`;
      return existsSync(link) && readlinkSync(link) === path;
    });

  test.runIf(existsSync("/proc/self/fd"))("is waited for, and the type is set once it is free", async () => {
    const db = sensorDatabase();
    const writer = lockedBy(db, "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");
    const { child, outcome } = start(["--db", db, "set", "emergency"]);
    await expect.poll(() => isOpenIn(child.pid as number, db), { timeout: 30_000, interval: 5 }).toBe(true);
    writer.exec("COMMIT");
    expect(await outcome).toMatchObject({ code: 0, stderr: "" });
  });

  test("is an error after five seconds, for a reader only where it is locked exclusively", async () => {
    const [writing, exclusive] = [sensorDatabase(), sensorDatabase()];
    lockedBy(writing, "PRAGMA journal_mode = WAL; BEGIN IMMEDIATE");
    lockedBy(exclusive, "BEGIN EXCLUSIVE");
    const [set, get, barred] = await Promise.all([
      run(["--db", writing, "set", "emergency"]),
      run(["--db", writing, "get"]),
      run(["--db", exclusive, "get"]),
    ]);
    expect(set).toMatchObject({ code: 1, stdout: "" });
    expect(set.stderr).toMatch(/^pipeline-manager: .*sensor_data\.db is locked by another process\.\n.+\n$/);
    expect(get).toMatchObject({ code: 0, stderr: "" });
    expect(barred).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("is locked") });
  });
});

test.concurrent("history lists the newest first, with what became of each", async () => {
  const db = sensorDatabase();
  await run(["--db", db, "set", "raw", "--reason", "start"]);
  await run(["--db", db, "set", "schematized", "--by", "carol"]);
  const writer = lockedBy(db, "SELECT 1");
  writer.exec(`INSERT INTO pipeline_config(pipeline_type, updated_at, updated_by, reason, expires_at)
    VALUES ('emergency', '2024-01-20T10:30:45.000Z', 'dave', 'leak', '2024-01-20T11:00:45.000Z')`);
  const [text, json] = await Promise.all([
    run(["--db", db, "history"]),
    runJson("--db", db, "history", "--limit", "2"),
  ]);
  const lines = text.stdout.trimEnd().split("\n");
  expect(lines).toHaveLength(4);
  expect(lines[1]).toMatch(
    /^ 3 {2}emergency {4}2024-01-20 10:30:45 {2}\d+ days ago +dave +expired +2024-01-20 11:00:45 {2}leak$/,
  );
  expect(lines[2]).toMatch(/^ 2 {2}schematized .* carol +effective +- +-$/);
  expect(lines[3]).toMatch(/^ 1 {2}raw .* superseded +- +start$/);
  const column = lines[0]?.indexOf("STATE");
  expect(lines.slice(1).map((line) => line.slice(column).split(" ")[0])).toEqual([
    "expired",
    "effective",
    "superseded",
  ]);
  expect(json.revisions.map(({ id, state }: { id: number; state: string }) => [id, state])).toEqual([
    [3, "expired"],
    [2, "effective"],
  ]);
});

test.concurrent("stats sums up by type, for people and as JSON", async () => {
  const path = sensorDatabase();
  const db = lockedBy(path, "SELECT 1");
  const now = Date.now();
  const entry = (minutesAgo: number, status: "delivered" | "failed", records: number) => ({
    configId: 1,
    pipelineType: "aggregated" as const,
    tableName: "sensor_readings",
    bucket: "bucket",
    objectKey: `aggregated/${minutesAgo}.parquet`,
    records,
    bytes: 1_234_567,
    firstRowid: 1n,
    lastRowid: 2n,
    startedAt: new Date(now - minutesAgo * 60_000).toISOString(),
    completedAt: status === "delivered" ? new Date(now - minutesAgo * 60_000 + 1_500).toISOString() : null,
    status,
    error: status === "failed" ? "getaddrinfo ENOTFOUND" : null,
  });
  recordExecutions(db, [entry(300, "delivered", 1_000_000), entry(20, "delivered", 2_345)], { now });
  recordExecutions(db, [entry(90, "failed", 7), entry(80, "failed", 7), entry(70, "failed", 7)], { now });

  const [text, json, recent] = await Promise.all([
    run(["--db", path, "stats"]),
    runJson("--db", path, "stats"),
    runJson("--db", path, "stats", "--since", "30m"),
  ]);
  expect(text.code).toBe(0);
  expect(text.stdout).toMatch(/\naggregated +5 +2 +0 +3 +1,002,345 +2\.5 MB +1\.5 s .* 2[01] minutes ago\n/);
  expect(text.stdout).toMatch(/\ntotal +5 +2 +0 +3 +1,002,345 /);
  expect(text.stdout).toContain("\nWaiting: 21 records, 3.7 MB.\n");
  expect(text.stdout).toContain("ENOTFOUND (aggregated/70.parquet)\n");
  expect(text.stdout).toMatch(/\nSTUCK: 3 objects .*\nFAILING: 3 of the last 5 /);
  expect(json).toMatchObject({
    database: path,
    since: null,
    types: [{ pipelineType: "aggregated", objects: 5, records: 1_002_345, averageLatencySeconds: 1.5 }],
    total: { objects: 5, failed: 3 },
    lastError: { objectKey: "aggregated/70.parquet", error: "getaddrinfo ENOTFOUND" },
    hints: [{ code: "STUCK" }, { code: "FAILING" }],
  });
  expect(recent).toMatchObject({ total: { objects: 1, records: 2_345 }, hints: [{}, {}] });
  expect(Date.parse(recent.now) - Date.parse(recent.since)).toBe(30 * 60_000);
});

describe.concurrent("the database", () => {
  test("comes from --db, else pipeline_db, else sqlite, of the file or the environment", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "conf"));
    const [source, control, other] = ["source", "control", "other"].map((name) =>
      sensorDatabase(folder, `${name}.db`),
    );
    const plain = join(folder, "conf/plain.yaml");
    const split = join(folder, "conf/split.yaml");
    writeFileSync(plain, "sqlite: ../source.db\n");
    writeFileSync(split, "sqlite: ../source.db\npipeline_db: ../control.db\n");
    const chosen = async (args: string[], env: Record<string, string> = {}) => {
      const { stdout, stderr } = await run([...args, "get", "--json"], { cwd: folder, env });
      return stdout === "" ? stderr : JSON.parse(stdout).database;
    };
    expect(
      await Promise.all([
        chosen(["--config", plain]),
        chosen(["--config", split]),
        chosen(["--db", "other.db"], { CONFIG_PATH: split }),
        chosen([], { CONFIG_PATH: split }),
        chosen([], { SENSOR_DB_PATH: "other.db" }),
        chosen([], { SQLITE_PATH: "source.db", PIPELINE_DB: "control.db" }),
      ]),
    ).toEqual([source, control, other, control, other, control]);
    expect(await chosen([])).toContain("--db");
  });
});

describe.concurrent("a mistake has a message, a hint and an exit code, and no stack trace", () => {
  const db = ["--db", "DB"];
  test.each<[string, string[], number, RegExp]>([
    ["no command", [], 2, /A command is missing: get, set, history or stats\./],
    ["an unknown command", [...db, "status"], 2, /Unknown command: status/],
    ["an unknown option", [...db, "get", "--jsn"], 2, /Unknown argument: jsn/],
    ["no type", [...db, "set"], 2, /set needs a type: raw, schematized, aggregated, emergency/],
    [
      "a misspelt type",
      [...db, "set", "emergnecy"],
      2,
      /"emergnecy" is not a pipeline type\. Did you mean emergency\?\nThe types are raw, schematized, aggregated, emergency\./,
    ],
    ["a negative duration", [...db, "set", "raw", "--for", "-5m"], 2, /--for "-5m" is not a duration/],
    [
      "a negative limit",
      [...db, "history", "--limit", "-3"],
      2,
      /--limit "-3" is not a whole number from 1 up/,
    ],
    ["nobody", [...db, "set", "raw", "--by", " "], 2, /--by is empty/],
    ["an option without its value", ["get", "--db"], 2, /--db needs a value/],
    ["two databases", [...db, "--config", "x.yaml", "get"], 2, /db and config are mutually exclusive/],
    [
      "a database that is not there",
      ["--db", "FOLDER/nowhere.db", "set", "raw"],
      1,
      /There is no database at /,
    ],
    ["a folder", ["--db", "FOLDER", "get"], 1, /is not a file/],
    ["no database", ["--db", import.meta.filename, "get"], 1, /is not a SQLite database/],
  ])("%s", async (_, args, code, message) => {
    const path = sensorDatabase();
    const folder = resolve(path, "..");
    const outcome = await run(args.map((arg) => arg.replace(/^DB$/, path).replace(/^FOLDER/, folder)));
    expect(outcome).toMatchObject({ code, stdout: "" });
    expect(outcome.stderr).toMatch(message);
    expect(outcome.stderr).toMatch(/^pipeline-manager: .+\n.+\n$/);
    expect(outcome.stderr).not.toMatch(/^ +at |node_modules/m);
    expect(readdirSync(folder)).toEqual(["sensor_data.db"]);
    expect(new Database(path, { readonly: true }).pragma("table_list")).not.toContainEqual(
      expect.objectContaining({ name: "pipeline_config" }),
    );
  });
});

test("a type is taken as it is written; the one that was meant is suggested", () => {
  expect(PIPELINE_TYPES.map(parsePipelineType)).toEqual(PIPELINE_TYPES);
  const suggestion = (text: string) => {
    try {
      return parsePipelineType(text);
    } catch (error) {
      return /Did you mean (\w+)\?/.exec((error as Error).message)?.[1] ?? null;
    }
  };
  expect(["RAW", "agg", "e", "shematized", "agregatde", "xyzzy", ""].map(suggestion)).toEqual([
    "raw",
    "aggregated",
    "emergency",
    "schematized",
    "aggregated",
    null,
    null,
  ]);
});

test("a duration is a number and a unit, from a second to ten years", () => {
  const durations = ["1s", "90s", "30m", "1.5h", "7D", " 2 h ", "3650d"];
  expect(durations.map((text) => parseDuration(text, "--for"))).toEqual([
    1, 90, 1_800, 5_400, 604_800, 7_200, 315_360_000,
  ]);
  for (const text of ["", "30", "m", "-5m", "1h30m", "5x", "1e3s", "yesterday"])
    expect(() => parseDuration(text, "--since")).toThrow(
      `--since ${JSON.stringify(text)} is not a duration.`,
    );
  for (const text of ["0s", "0.5s", "3651d", "99999999999d"])
    expect(() => parseDuration(text, "--for")).toThrow(`--for ${text} is out of bounds`);
});

test("times are told in the largest unit that there are two of", () => {
  const now = Date.parse("2026-07-31T10:00:00.000Z");
  const relative = (seconds: number) => formatRelative(new Date(now - seconds * 1_000).toISOString(), now);
  expect([0, 0.9, -0.9, 1, 60, 119, 120, -1_680, 7_200, 172_800].map(relative)).toEqual([
    "just now",
    "just now",
    "just now",
    "1 second ago",
    "1 minute ago",
    "119 seconds ago",
    "2 minutes ago",
    "in 28 minutes",
    "2 hours ago",
    "2 days ago",
  ]);
});

test.concurrent("--help names the commands, --version the package's version", async () => {
  const [help, version, ofSet] = await Promise.all([
    run(["--help"]),
    run(["--version"]),
    run(["set", "--help"]),
  ]);
  expect(help).toMatchObject({ code: 0, stderr: "" });
  for (const word of ["get", "set <type>", "history", "stats", "--db", "--config", "--json"])
    expect(help.stdout).toContain(word);
  expect(ofSet.stdout).toContain("--for");
  const { version: expected } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  expect(version).toMatchObject({ code: 0, stdout: `${expected}\n`, stderr: "" });
});
