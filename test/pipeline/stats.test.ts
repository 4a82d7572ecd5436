import { describe, expect, test } from "vitest";
import { type Execution, recordExecutions } from "../../src/pipeline/executions.ts";
import { readStats } from "../../src/pipeline/stats.ts";
import { openTemporary } from "./temporary-database.ts";

const NOW = Date.parse("2026-07-31T10:00:00.000Z");
const MINUTE_MS = 60_000;

/** An object that began so many minutes before NOW, and was delivered the given seconds later. */
function object(
  minutesAgo: number,
  end: number | "pending" | "failed",
  rest: Partial<Execution> = {},
): Execution {
  const startedMs = NOW - minutesAgo * MINUTE_MS;
  const done = typeof end === "number";
  return {
    configId: 1,
    pipelineType: "raw",
    tableName: "sensor_readings",
    bucket: "bucket",
    objectKey: `${minutesAgo}-${end}`,
    records: 10,
    bytes: 1_000,
    firstRowid: 1n,
    lastRowid: 10n,
    startedAt: new Date(startedMs).toISOString(),
    completedAt: done ? new Date(startedMs + end * 1_000).toISOString() : null,
    status: done ? "delivered" : end,
    error: end === "failed" ? `cannot connect, ${minutesAgo} minutes ago` : null,
    ...rest,
  };
}

function statsOf(objects: readonly Execution[], since: number | null = null) {
  const db = openTemporary();
  recordExecutions(db, objects, { now: NOW });
  return readStats(db, { since, now: NOW });
}

function codes(objects: readonly Execution[]): string[] {
  return statsOf(objects).hints.map(({ code }) => code);
}

test("sums up by type and in total", () => {
  const stats = statsOf([
    object(9, 1),
    object(8, 2.5),
    object(7, 4, { pipelineType: "emergency", records: 3, bytes: 30 }),
    object(6, "pending", { records: 5, bytes: 50 }),
    object(5, "failed"),
    object(4, "failed"),
  ]);
  expect(stats.types).toEqual([
    {
      pipelineType: "emergency",
      objects: 1,
      delivered: 1,
      pending: 0,
      failed: 0,
      records: 3,
      bytes: 30,
      waitingRecords: 0,
      waitingBytes: 0,
      firstCompletedAt: "2026-07-31T09:53:04.000Z",
      lastCompletedAt: "2026-07-31T09:53:04.000Z",
      averageLatencySeconds: 4,
    },
    {
      pipelineType: "raw",
      objects: 5,
      delivered: 2,
      pending: 1,
      failed: 2,
      records: 20,
      bytes: 2_000,
      waitingRecords: 25,
      waitingBytes: 2_050,
      firstCompletedAt: "2026-07-31T09:51:01.000Z",
      lastCompletedAt: "2026-07-31T09:52:02.500Z",
      averageLatencySeconds: 1.75,
    },
  ]);
  expect(stats.total).toMatchObject({
    objects: 6,
    delivered: 3,
    records: 23,
    waitingBytes: 2_050,
    firstCompletedAt: "2026-07-31T09:51:01.000Z",
    lastCompletedAt: "2026-07-31T09:53:04.000Z",
    averageLatencySeconds: 2.5,
  });
  expect(stats.lastError).toMatchObject({ objectKey: "4-failed", error: "cannot connect, 4 minutes ago" });
});

test("counts what began since the given time", () => {
  const objects = [object(61, 1), object(60, 1), object(59, 1)];
  expect(statsOf(objects, NOW - 60 * MINUTE_MS).total.objects).toBe(2);
});

test("is empty without a table, and leaves an older system's rows out", () => {
  const db = openTemporary();
  const none = { types: [], lastError: null, hints: [], total: { objects: 0, averageLatencySeconds: null } };
  expect(readStats(db, { since: null, now: NOW })).toMatchObject(none);
  db.exec("CREATE TABLE pipeline_executions(id INTEGER PRIMARY KEY, pipeline_type TEXT, status TEXT)");
  db.exec("INSERT INTO pipeline_executions(pipeline_type, status) VALUES ('raw', 'failed')");
  expect(readStats(db, { since: null, now: NOW })).toMatchObject(none);
});

describe("hints", () => {
  test("none for a quiet sensor, however long nothing was delivered", () => {
    expect(codes([object(500, 1)])).toEqual([]);
  });

  test("none for an object that has just begun after a quiet night", () => {
    expect(codes([object(500, 1), object(1, "pending")])).toEqual([]);
  });

  test("STALE and STUCK where objects wait and nothing was delivered for 30 minutes", () => {
    expect(codes([object(40, 1), object(31, "pending")])).toEqual(["STALE", "STUCK"]);
    expect(codes([object(31, "pending")])).toEqual(["STALE", "STUCK"]);
    expect(codes([object(40, 1), object(30, "pending")])).toEqual(["STUCK"]);
  });

  test("STUCK alone where others are delivered past an object", () => {
    expect(codes([object(31, "pending"), object(2, 1)])).toEqual(["STUCK"]);
    expect(codes([object(10, "pending"), object(2, 1)])).toEqual([]);
  });

  test("FAILING where 3 of the last 5 tries failed, and no longer when they are delivered", () => {
    const tries = [object(9, 1), object(8, "failed"), object(7, 1), object(6, "failed"), object(5, "failed")];
    expect(codes(tries)).toEqual(["FAILING"]);
    expect(codes([...tries, object(4, 1), object(3, 1)])).toEqual([]);
    expect(codes(tries.slice(0, 4))).toEqual([]);
  });
});
