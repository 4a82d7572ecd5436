import { expect, test } from "vitest";
import { type Execution, recordExecutions } from "../../src/pipeline/executions.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { openTemporary } from "./temporary-database.ts";

const NOW = Date.parse("2026-07-31T10:00:00.000Z");
const DAY_MS = 86_400_000;

const pending: Execution = {
  configId: 3,
  pipelineType: "raw",
  tableName: "sensor_readings",
  bucket: "plant-databricks-raw-eu-west-1",
  objectKey: "raw/sensor_readings/one.parquet",
  records: 100,
  bytes: 4096,
  firstRowid: 9_223_372_036_854_775_706n,
  lastRowid: 9_223_372_036_854_775_807n,
  startedAt: "2026-07-31T09:59:58.000Z",
  completedAt: null,
  status: "pending",
  error: null,
};
const delivered: Execution = { ...pending, status: "delivered", completedAt: "2026-07-31T10:00:00.000Z" };

function rows(db: Connection) {
  return db.prepare("SELECT * FROM pipeline_executions ORDER BY id").safeIntegers(true).all() as Record<
    string,
    unknown
  >[];
}

test("keeps one row per object, with 64-bit rowids", () => {
  const db = openTemporary();
  recordExecutions(db, [pending], { now: NOW });
  recordExecutions(db, [delivered, { ...pending, bucket: "another" }], { now: NOW });
  expect(rows(db)).toEqual([
    {
      id: 1n,
      config_id: 3n,
      pipeline_type: "raw",
      table_name: "sensor_readings",
      bucket: "plant-databricks-raw-eu-west-1",
      object_key: "raw/sensor_readings/one.parquet",
      records: 100n,
      bytes: 4096n,
      first_rowid: 9_223_372_036_854_775_706n,
      last_rowid: 9_223_372_036_854_775_807n,
      started_at: "2026-07-31T09:59:58.000Z",
      completed_at: "2026-07-31T10:00:00.000Z",
      status: "delivered",
      error: null,
    },
    expect.objectContaining({ bucket: "another", status: "pending" }),
  ]);
});

test("a delivered object stays delivered, as it was, whatever comes later", () => {
  const db = openTemporary();
  recordExecutions(db, [delivered], { now: NOW });
  const before = rows(db);
  recordExecutions(db, [pending], { now: NOW });
  recordExecutions(db, [{ ...pending, status: "failed", error: "timeout" }], { now: NOW });
  recordExecutions(db, [{ ...delivered, completedAt: "2026-07-31T11:00:00.000Z" }], { now: NOW });
  expect(rows(db)).toEqual(before);
});

test("a failed object can be delivered, and its error goes", () => {
  const db = openTemporary();
  recordExecutions(db, [{ ...pending, status: "failed", error: "timeout" }], { now: NOW });
  expect(rows(db)).toMatchObject([{ status: "failed", error: "timeout" }]);
  recordExecutions(db, [delivered], { now: NOW });
  expect(rows(db)).toMatchObject([{ status: "delivered", error: null }]);
});

test("forgets what began more than 30 days ago, by an index, a bounded number at a time", () => {
  const db = openTemporary();
  const beganAt = (ms: number, objectKey: string) => ({
    ...delivered,
    objectKey,
    startedAt: new Date(ms).toISOString(),
  });
  const edge = NOW - 30 * DAY_MS;
  recordExecutions(db, [beganAt(edge - 1, "old"), beganAt(edge, "edge"), beganAt(NOW, "new")], { now: edge });
  expect(rows(db)).toHaveLength(3);
  recordExecutions(db, [], { now: NOW });
  expect(rows(db).map((row) => row.object_key)).toEqual(["edge", "new"]);

  const many = Array.from({ length: 1_500 }, (_, index) => beganAt(edge - 1, `old-${index}`));
  recordExecutions(db, many, { now: edge });
  recordExecutions(db, [], { now: NOW });
  expect(rows(db)).toHaveLength(502);
  recordExecutions(db, [], { now: NOW });
  expect(rows(db)).toHaveLength(2);
  const plan = db
    .prepare(
      "EXPLAIN QUERY PLAN SELECT id FROM pipeline_executions WHERE started_at < '2026' ORDER BY started_at LIMIT 9",
    )
    .all();
  expect(JSON.stringify(plan)).toContain("pipeline_executions_started");
});

test("is all or nothing", () => {
  const db = openTemporary();
  const broken = { ...pending, objectKey: "two", tableName: null as unknown as string };
  expect(() => recordExecutions(db, [pending, broken], { now: NOW })).toThrow(
    expect.objectContaining({ code: "CONTROL_UNAVAILABLE" }),
  );
  recordExecutions(db, [], { now: NOW });
  expect(rows(db)).toEqual([]);
});
