import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { PIPELINE_TYPES, type PipelineType } from "../../src/core/types.ts";
import { listObjects, readRows } from "../support/lake-reader.ts";
import { appendReadings, openForTest, openReadings, type ReadingsOptions } from "../support/readings.ts";
import { uploadOnce } from "../support/run-in-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { runProgram, startProgram } from "../support/uploader-process.ts";
import { expectEveryRowOnce } from "../support/whole-lake.ts";

function setUp(options?: ReadingsOptions) {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  const db = openReadings(database, options);
  const lake = join(folder, "lake");
  const flags = ["--sqlite", database, "--directory", lake, "--table", "readings", "--node-id", "press-7"];
  const where = { cwd: folder, env: { STATE_DIR: "state" } };
  return {
    folder,
    database,
    db,
    lake,
    argv: { sqlite: database, directory: lake, "node-id": "press-7", "state-dir": "state" },
    start: (...more: string[]) => startProgram("uploader", [...flags, ...more], where),
    once: (...more: string[]) => runProgram("uploader", [...flags, "--once", ...more], where),
    set: (...args: string[]) => runProgram("pipeline-manager", ["set", ...args, "--db", database], where),
    ofType: (type: PipelineType) => listObjects(lake).filter(({ name }) => name.route.type === type),
    /** Executions are recorded when a cycle ends. */
    cycleEnded: (objects: number) =>
      until("a cycle has ended", () => countExecutions(database) >= objects || undefined),
  };
}

function countExecutions(database: string): number {
  const db = openForTest(database, { readonly: true });
  const exists = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'pipeline_executions'").pluck();
  if (exists.get() !== 1) return 0;
  const count = db.prepare("SELECT count(*) FROM pipeline_executions").pluck().get() as number;
  db.close();
  return count;
}

describe("while the type is emergency", () => {
  test("a row that matches the filter is shipped at once, the others when the interval is over", async () => {
    const { folder, db, start, set, ofType, cycleEnded } = setUp();
    const config = join(folder, "uploader.yaml");
    writeFileSync(config, "emergency: { interval: 3600 }\n");
    await set("emergency");
    appendReadings(db, 10);
    const uploader = start("--config", config);
    await cycleEnded(2);

    appendReadings(db, 5, { anomaly_flag: 0 });
    appendReadings(db, 1, { anomaly_flag: 1 });
    await until("the emergency is there", () => ofType("emergency").length === 2);
    appendReadings(db, 5, { anomaly_flag: 0 });
    appendReadings(db, 1, { anomaly_flag: 1 });
    await until("the next one is there", () => ofType("emergency").length === 3);

    uploader.process.kill("SIGTERM");
    expect(await uploader.finished).toMatchObject({ code: 0 });
  });
});

describe("a change of type", () => {
  test("`set emergency` reaches a running uploader within 1.5 seconds, whatever its interval", async () => {
    const { db, start, set, ofType, cycleEnded } = setUp();
    appendReadings(db, 10);
    const uploader = start("--interval", "30");
    await cycleEnded(1);
    appendReadings(db, 100);

    expect(await set("emergency", "--by", "test", "--reason", "the press is on fire")).toMatchObject({
      code: 0,
    });
    const setAt = performance.now();
    await until("an emergency object is there", () => ofType("emergency").length > 0);
    expect(performance.now() - setAt).toBeLessThanOrEqual(1_500);

    uploader.process.kill("SIGTERM");
    const { stdout } = await uploader.finished;
    expect(stdout).toContain("the pipeline type is now emergency, set by test: the press is on fire");
  });

  test("`set --for` ends by itself, without a restart and without a new cycle being due", async () => {
    const { database, db, start, set, once, ofType, lake, cycleEnded } = setUp();
    appendReadings(db, 10);
    const uploader = start("--interval", "600");
    await cycleEnded(1);
    appendReadings(db, 10);
    expect(await set("schematized", "--for", "2s")).toMatchObject({ code: 0 });
    await uploader.untilOutput(/the pipeline type is now schematized/);
    await cycleEnded(2);
    appendReadings(db, 10);
    await uploader.untilOutput(/the pipeline type is now raw/);
    await until("a second raw object is there", () => ofType("raw").length === 2);

    uploader.process.kill("SIGTERM");
    expect(await uploader.finished).toMatchObject({ code: 0 });
    expect(ofType("schematized")).toHaveLength(1);
    expect(await once()).toMatchObject({ code: 0 });
    await expectEveryRowOnce(listObjects(lake), { database });
  });

  test("rows go by the revision of the transaction that reads them, not by one read before", async () => {
    const { folder, database, db, argv, lake, set } = setUp();
    appendReadings(db, 10);
    expect(await set("raw")).toMatchObject({ code: 0 });
    let revision: unknown;
    // In the middle of a cycle, revision and rows are committed together.
    const extracted = () => {
      if (revision !== undefined) return;
      db.transaction(() => {
        revision = db
          .prepare(
            "INSERT INTO pipeline_config (pipeline_type, updated_at, updated_by) VALUES ('emergency', ?, 'test')",
          )
          .run(new Date().toISOString()).lastInsertRowid;
        appendReadings(db, 5, { anomaly_flag: 1 });
      }).immediate();
    };
    expect(await uploadOnce({ cwd: folder, argv, progress: { extracted } })).toBe(0);
    expect(await uploadOnce({ cwd: folder, argv })).toBe(0);
    const [before, after] = listObjects(lake).sort((a, b) => a.name.sequence - b.name.sequence);
    expect(before?.name).toMatchObject({ route: { type: "raw" }, rows: 10 });
    expect(after?.name).toMatchObject({ route: { type: "emergency" }, rows: 5, parts: 1 });
    const recorded = openForTest(database)
      .prepare("SELECT config_id FROM pipeline_executions ORDER BY id")
      .pluck();
    expect(recorded.all()).toEqual([1, revision]);
  });

  test("a type that this version does not know keeps the last known one, and is warned of", async () => {
    const { db, once, set, ofType } = setUp();
    appendReadings(db, 10);
    expect(await set("schematized")).toMatchObject({ code: 0 });
    expect(await once()).toMatchObject({ code: 0 });
    db.prepare("INSERT INTO pipeline_config (pipeline_type, updated_at, updated_by) VALUES (?, ?, ?)").run(
      "quantum",
      new Date().toISOString(),
      "a later version",
    );
    appendReadings(db, 10);
    const { code, stdout } = await once();
    expect(code).toBe(0);
    expect(stdout).toMatch(/"level":"warn".*\\"quantum\\".*schematized stays in effect/);
    expect(ofType("schematized")).toHaveLength(2);
    expect(ofType("raw")).toEqual([]);
  });
});

describe("the control tables", () => {
  test("in a file of their own, leave the sensor's database as it is", async () => {
    const { folder, database, db, once, ofType } = setUp();
    appendReadings(db, 50);
    const control = join(folder, "control.db");
    expect(await once("--pipeline-db", control)).toMatchObject({ code: 0 });
    const set = ["set", "emergency", "--db", control];
    expect(await runProgram("pipeline-manager", set)).toMatchObject({ code: 0 });
    appendReadings(db, 50);
    expect(await once("--pipeline-db", control)).toMatchObject({ code: 0 });

    expect(ofType("raw").map(({ name }) => name.rows)).toEqual([50, 45]);
    expect(ofType("emergency").map(({ name }) => name.rows)).toEqual([5]);
    expect(countExecutions(control)).toBe(3);
    const names = "SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'";
    expect(openForTest(database).prepare(names).pluck().all()).toEqual(["readings"]);
  });

  test("tell in pipeline_executions of every object what its name tells", async () => {
    const { database, db, once, set, lake } = setUp();
    for (const type of PIPELINE_TYPES) {
      appendReadings(db, 200);
      expect(await set(type)).toMatchObject({ code: 0 });
      expect(await once("--max-batch-size", "120")).toMatchObject({ code: 0 });
    }
    const recorded = db
      .prepare(
        `SELECT bucket, object_key, table_name, pipeline_type, config_id, records, bytes, first_rowid,
           last_rowid, status, error, completed_at >= started_at AS is_over
         FROM pipeline_executions ORDER BY object_key`,
      )
      .all();
    const typeOf = (sequence: number) => PIPELINE_TYPES[Math.floor((sequence - 1) / 2)] as PipelineType;
    const expected = listObjects(lake).map(({ bucket, key, path, name }) => ({
      bucket,
      object_key: key,
      table_name: "readings",
      pipeline_type: typeOf(name.sequence),
      config_id: PIPELINE_TYPES.indexOf(typeOf(name.sequence)) + 1,
      records: name.rows,
      bytes: statSync(path).size,
      first_rowid: Number(name.range.first),
      last_rowid: Number(name.range.last),
      status: "delivered",
      error: null,
      is_over: 1,
    }));
    expect(recorded).toEqual(expected);
    expect(recorded.length).toBeGreaterThan(PIPELINE_TYPES.length * 2);
    await expectEveryRowOnce(listObjects(lake), { database });
  });

  test.each(["wal", "delete"] as const)(
    "that cannot be written hold up no upload: another process writes all the while, in mode %s",
    async (journalMode) => {
      const { database, db, once, lake } = setUp({ journalMode });
      appendReadings(db, 1_000);
      db.exec("BEGIN IMMEDIATE");
      expect(await once("--max-batch-size", "300")).toMatchObject({ code: 0 });
      await expectEveryRowOnce(listObjects(lake), { database });
      expect(listObjects(lake)).toHaveLength(4);
      db.exec("ROLLBACK");
      expect(countExecutions(database)).toBe(0);

      expect(await once()).toMatchObject({ code: 0 });
      const statuses = db.prepare("SELECT status FROM pipeline_executions").pluck().all();
      expect(statuses, "they are made up for").toEqual(Array(4).fill("delivered"));
    },
  );

  test("are no source, and a database that is not in WAL mode works, with a warning", async () => {
    const { folder, database, db, lake } = setUp({ journalMode: "delete" });
    appendReadings(db, 20);
    const args = ["--once", "--sqlite", database, "--directory", lake, "--node-id", "press-7"];
    const first = await runProgram("uploader", args, { cwd: folder });
    expect(first).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/"level":"warn".*journal mode delete.*WAL/),
    });
    // Found without being named, although the control tables are there by now.
    appendReadings(db, 20);
    expect(await runProgram("uploader", args, { cwd: folder })).toMatchObject({ code: 0 });
    expect(await readRows(listObjects(lake))).toHaveLength(40);
    expect(db.pragma("journal_mode", { simple: true })).toBe("delete");
    await expectEveryRowOnce(listObjects(lake), { database });
  });
});
