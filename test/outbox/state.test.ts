import { chmodSync, closeSync, openSync, readdirSync, statSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, test } from "vitest";
import { commitExtraction } from "../../src/outbox/extractions.ts";
import { acquireStateLock } from "../../src/outbox/lock.ts";
import { countWaiting } from "../../src/outbox/objects.ts";
import { readSource } from "../../src/outbox/sources.ts";
import {
  createStateFolders,
  openState,
  openStateForReading,
  type State,
  stateFiles,
} from "../../src/outbox/state.ts";
import { listObjects } from "../support/lake-reader.ts";
import { appendReadings, openForTest, openReadings } from "../support/readings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { runProgram, startProgram } from "../support/uploader-process.ts";
import { commitOf, NOW, newSource, newState, reread } from "./new-state.ts";

/** Takes a state back to what the first version made. */
const TO_VERSION_1 = `DROP TABLE seal; ALTER TABLE sources DROP COLUMN footing; ALTER TABLE identity DROP COLUMN drained_at;
  PRAGMA user_version = 1`;

/** As another program does it. */
function edit({ files }: State, sql: string): void {
  const db = openForTest(files.database);
  db.exec(sql);
  db.close();
}

describe("a state", () => {
  it("keeps its id and all that was committed", () => {
    const folder = join(temporaryFolder(), "state");
    const first = newState(folder);
    const source = newSource(first);
    commitExtraction(first, commitOf(source));
    const kept = reread(first, source);
    first.close();
    const second = newState(folder);
    expect(second.id).toBe(first.id);
    expect(reread(second, source)).toEqual(kept);
    expect(newState().id, "another state is another").not.toBe(first.id);
  });

  it("survives a loss of power: WAL, and a sync for each commit", () => {
    const { db } = newState();
    expect(db.pragma("journal_mode", { simple: true })).toBe("wal");
    expect(db.pragma("synchronous", { simple: true })).toBe(2);
  });

  it("of version 1, which remembers nothing of the rows up to the cursor, is read, and goes on", () => {
    const state = newState();
    const source = newSource(state);
    commitExtraction(state, commitOf(source));
    const kept = reread(state, source);
    state.close();
    edit(state, TO_VERSION_1);
    const looked = openStateForReading(state.files);
    expect(looked && readSource(looked, source.node, source.table)).toEqual({ ...kept, footing: null });
    looked?.close();
    const later = openState(state.files, NOW);
    expect(reread(later, source)).toEqual({ ...kept, footing: null });
    commitExtraction(later, commitOf(reread(later, source)));
    expect(reread(later, source).footing).toBe("of row 2");
    later.close();
  });

  it("of a later version is refused and left as it is", () => {
    const state = newState();
    state.db.pragma("user_version = 999");
    state.close();
    const reopen = () => openState(state.files, NOW);
    expect(reopen).toThrow(expect.objectContaining({ code: "STATE_DAMAGED" }));
    expect(reopen).toThrow(/later version of the uploader \(state version 999/);
    expect(openForTest(state.files.database).pragma("user_version", { simple: true })).toBe(999);
  });

  it("of an earlier version, which had no seal, is sealed when it is brought to this one", () => {
    const state = newState();
    commitExtraction(state, commitOf(newSource(state)));
    state.close();
    edit(state, TO_VERSION_1);
    openState(state.files, NOW).close();
    openState(state.files, NOW).close();
    edit(state, "UPDATE objects SET rows = 2");
    expect(() => openState(state.files, NOW)).toThrow(/something else than the uploader has changed it/);
  });

  it("of an earlier version that was edited is refused, before it is brought to this one", () => {
    const state = newState();
    commitExtraction(state, commitOf(newSource(state)));
    state.close();
    edit(state, "UPDATE objects SET rows = 2; PRAGMA user_version = 3");
    expect(() => openState(state.files, NOW)).toThrow(/something else than the uploader has changed it/);
    expect(openForTest(state.files.database).pragma("user_version", { simple: true })).toBe(3);
  });

  it("that is no database is damaged, and the way out is named", () => {
    const files = createStateFolders(join(temporaryFolder(), "state"));
    writeFileSync(files.database, "not a database, and long enough to be looked at ".repeat(100));
    const damaged = expect.objectContaining({
      code: "STATE_DAMAGED",
      hint: expect.stringContaining("uploader state rebuild"),
    });
    expect(() => openState(files, NOW)).toThrow(damaged);
    expect(() => openStateForReading(files)).toThrow(damaged);
  });

  it("is not there to be looked at before the first run", () => {
    expect(openStateForReading(stateFiles(join(temporaryFolder(), "state")))).toBeNull();
  });

  it("is for its user alone: the folder, and every file in it", () => {
    const folder = join(temporaryFolder(), "state");
    const umask = process.umask(0);
    try {
      const files = createStateFolders(folder);
      chmodSync(folder, 0o755);
      createStateFolders(folder);
      const lock = acquireStateLock(folder, NOW);
      const state = openState(files, NOW);
      newSource(state);
      const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
      expect([mode(folder), mode(files.outbox)]).toEqual(["700", "700"]);
      const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
      expect(names.map(({ name }) => name)).toEqual(
        expect.arrayContaining(["state.db", "state.db-wal", "lock.db", "lock.json"]),
      );
      for (const { name } of names) expect([name, mode(join(folder, name))]).toEqual([name, "600"]);
      state.close();
      lock.release();
    } finally {
      process.umask(umask);
    }
  });

  it("can be counted by a reader while it is written", () => {
    const state = newState();
    const source = newSource(state);
    state.db.exec("BEGIN IMMEDIATE");
    const reader = openStateForReading(state.files);
    expect(reader && countWaiting(reader)).toMatchObject({ objects: 0 });
    state.db.exec("COMMIT");
    commitExtraction(state, commitOf(source));
    expect(reader && countWaiting(reader)).toMatchObject({ objects: 1 });
    reader?.close();
  });
});

describe("the programs", () => {
  function setUp() {
    const folder = temporaryFolder();
    const database = join(folder, "sensor.db");
    const db = openReadings(database);
    const flags = ["--sqlite", database, "--directory", "lake", "--node-id", "press-7"];
    return { folder, db, flags, options: { cwd: folder, env: { STATE_DIR: "state" } } };
  }

  test("`state show` tells of cursor, sequence and outbox while an uploader runs", async () => {
    const { db, flags, options } = setUp();
    const none = await runProgram("uploader", ["state", "show", ...flags], options);
    expect(none).toMatchObject({ code: 0, stdout: expect.stringContaining("There is no state") });

    appendReadings(db, 100);
    const uploader = startProgram(
      "uploader",
      [...flags, "--interval", "30", "--max-batch-size", "50"],
      options,
    );
    await uploader.untilOutput(/"msg":"delivered"[\s\S]*"msg":"delivered"/);
    const shown = await runProgram("uploader", ["state", "show", "--json", ...flags], options);
    expect(shown).toMatchObject({ code: 0, stderr: "" });
    expect(JSON.parse(shown.stdout).sources).toMatchObject([
      {
        node: "press-7",
        table: "readings",
        generation: 1,
        cursor: "100",
        sequence: 2,
        epoch: 1,
        pipelineType: "raw",
        waiting: { objects: 0 },
        delivered: { objects: 2, rows: 100 },
      },
    ]);
    const forPeople = await runProgram("uploader", ["state", "show", ...flags], options);
    expect(forPeople.stdout).toMatch(/Cursor: +row 100/);
    uploader.process.kill("SIGTERM");
    expect(await uploader.finished).toMatchObject({ code: 0, stderr: "" });
  });

  test.each([
    ["at its beginning", 0],
    ["in its pages", 4096],
  ])("name the way out of a state that is damaged %s, and ship nothing", async (_, from) => {
    const { folder, db, flags, options } = setUp();
    appendReadings(db, 100);
    expect(await runProgram("uploader", [...flags, "--once"], options)).toMatchObject({ code: 0 });
    appendReadings(db, 100);
    const file = join(folder, "state", "state.db");
    const { size } = statSync(file);
    const descriptor = openSync(file, "r+");
    writeSync(descriptor, Buffer.alloc(size - from, 0xa5), 0, size - from, from);
    closeSync(descriptor);

    const { code, stderr } = await runProgram("uploader", [...flags, "--once"], options);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining("uploader state rebuild") });
    expect(stderr).not.toMatch(/^\s+at /m);
    const show = await runProgram("uploader", ["state", "show", ...flags], options);
    expect(show).toMatchObject({ code: 1, stderr: expect.stringContaining("uploader state rebuild") });
    expect(listObjects(join(folder, "lake")).map(({ name }) => name.rows)).toEqual([100]);
  });
});
