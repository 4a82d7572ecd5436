import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stateDocument } from "../../src/cli/state-report.ts";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { duckdb, listObjects } from "../support/lake-reader.ts";
import { openForTest } from "../support/readings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { runProgram, startProgram } from "../support/uploader-process.ts";
import { expectEveryRowOnce, readFooters } from "../support/whole-lake.ts";
import { startWriter } from "../support/writer-process.ts";

const CHANGES = 40;
const ROWS_PER_SECOND = 2_000;
const SECONDS = 20;
const MEGABYTE = 1024 * 1024;

test("a fast writer, an uploader and 40 changes of type get along: every row is shipped once, by one revision", async () => {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  const lake = join(folder, "lake");
  const writer = startWriter(database, ROWS_PER_SECOND);
  await until("the writer has written", () => writer.report().rows > 0);
  const flags = ["--sqlite", database, "--table", "readings", "--directory", lake, "--node-id", "press-7"];
  const options = { cwd: folder, env: { STATE_DIR: "state" } };
  const uploader = startProgram("uploader", [...flags, "--interval", "1"], options);

  for (let change = 0; change < CHANGES; change++) {
    const rows = Math.floor((change * ROWS_PER_SECOND * SECONDS) / CHANGES);
    await until(`${rows} rows are written`, () => writer.report().rows >= rows);
    const type = PIPELINE_TYPES[(change + 1) % PIPELINE_TYPES.length] as string;
    const set = await runProgram("pipeline-manager", ["set", type, "--db", database], options);
    expect(set).toMatchObject({ code: 0, stderr: "" });
  }
  await until("the time is over", () => writer.report().rows >= ROWS_PER_SECOND * SECONDS);

  const report = await writer.stop();
  uploader.process.kill("SIGTERM");
  expect(await uploader.finished).toMatchObject({ code: 0, stderr: "" });
  expect(await runProgram("uploader", [...flags, "--once"], options)).toMatchObject({ code: 0, stderr: "" });

  // The sensor comes first.
  expect(report.busy).toBe(0);
  expect(report.largestWalBytes).toBeGreaterThan(0);
  expect(report.largestWalBytes).toBeLessThan(16 * MEGABYTE);

  const objects = listObjects(lake);
  const db = openForTest(database);
  expect(db.prepare("SELECT count(*) FROM readings").pluck().get()).toBe(report.rows);
  await expectEveryRowOnce(objects, { database });
  expect(new Set(objects.map(({ name }) => name.route.type))).toEqual(new Set(PIPELINE_TYPES));
  expect(objects.some(({ name }) => name.route.rejected)).toBe(true);

  // The writer went on updating rows that were shipped, the last one among them.
  expect(db.prepare("SELECT max(synced) FROM readings").pluck().get()).toBeGreaterThan(1);
  expect(new Set(objects.map(({ name }) => name.generation))).toEqual(new Set([1]));

  // One revision for each extraction: that of its footers, of its routes and of pipeline_executions.
  const footers = await readFooters(objects);
  const types = new Map(db.prepare("SELECT id, pipeline_type FROM pipeline_config").raw().all() as []);
  const recorded = new Map(
    db.prepare("SELECT object_key, config_id FROM pipeline_executions").raw().all() as [string, number][],
  );
  const revisions = new Map<number, string>();
  for (const { path, key, name } of objects) {
    const { revision = "", pipeline_type: type = "" } = footers.get(path) ?? {};
    expect([key, revision]).toEqual([key, revisions.get(name.sequence) ?? revision]);
    revisions.set(name.sequence, revision);
    expect([key, String(recorded.get(key))]).toEqual([key, revision]);
    expect([key, type]).toEqual([key, types.get(Number(revision) as never) ?? "raw"]);
    expect([key, name.route.type === type || type === "emergency"]).toEqual([key, true]);
  }
  expect(new Set(revisions.values()).size).toBeGreaterThan(CHANGES / 2);

  // Revision and rows are read in one transaction: no row goes by a revision older than the row.
  const rowwise = objects.filter(({ name }) => name.route.type !== "aggregated");
  const paths = rowwise.map(({ path }) => `'${path}'`).join(", ");
  const newest = await duckdb(
    `SELECT filename, max(config_id)::INT AS id FROM read_parquet([${paths}], filename = true, union_by_name = true) GROUP BY filename`,
  );
  const older = newest.filter(
    ({ filename, id }) => Number(footers.get(filename as string)?.revision) < Number(id ?? 0),
  );
  expect(older).toEqual([]);

  const [source] = stateDocument(join(folder, "state")).sources;
  expect(source).toMatchObject({ generation: 1, cursor: String(report.rows), waiting: { objects: 0 } });
  expect(existsSync(`${database}-wal`)).toBe(true);
}, 90_000);
