import { join } from "node:path";
import Database from "better-sqlite3";
import pino from "pino";
import { describe, expect, onTestFinished, test } from "vitest";
import { runBackfill } from "../../sample-sensor/src/backfill.ts";
import { runLive } from "../../sample-sensor/src/live.ts";
import {
  type InsertResult,
  openReadingsTable,
  type ReadingsTable,
} from "../../sample-sensor/src/readings-table.ts";
import type { Reading } from "../../sample-sensor/src/sensor.ts";
import { type WriteContext, writeReadings } from "../../sample-sensor/src/writer.ts";
import { givenFleet, givenFolder, givenSettings, START_MS } from "./given-settings.ts";

/** A clock that moves only when somebody sleeps; `onSleep` may move it further. */
function givenContext(table: ReadingsTable, onSleep: (nowMs: number) => number = () => 0) {
  let nowMs = START_MS;
  const stop = new AbortController();
  const messages: string[] = [];
  const context: WriteContext = {
    table,
    clock: { now: () => nowMs },
    sleep: async (milliseconds) => {
      nowMs += milliseconds;
      nowMs += onSleep(nowMs);
    },
    logger: pino({ level: "trace" }, { write: (line: string) => void messages.push(JSON.parse(line).msg) }),
    signal: stop.signal,
  };
  return { context, stop, messages };
}

function givenTable(path = join(givenFolder(), "sensor.db")): { path: string; table: ReadingsTable } {
  const table = openReadingsTable(path);
  onTestFinished(() => table.close());
  return { path, table };
}

function rowsOf(path: string): Record<string, unknown>[] {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare("SELECT * FROM sensor_readings ORDER BY id").all() as Record<string, unknown>[];
  } finally {
    db.close();
  }
}

/** Stands in for a database that refuses the first writes. */
function refusing(results: InsertResult[]): { table: ReadingsTable; written: Reading[] } {
  const written: Reading[] = [];
  const table: ReadingsTable = {
    insert(readings) {
      const result = results.shift() ?? "written";
      if (result === "written") written.push(...readings);
      return result;
    },
    deleteOlderThan: () => 0,
    checkpoint: () => true,
    close: () => {},
  };
  return { table, written };
}

describe("live readings", () => {
  test("are as many as rate and run time say, however they are committed", async () => {
    const contents = [];
    for (const commitIntervalSeconds of [2, 7]) {
      const settings = givenSettings({
        database: { commit_interval_seconds: commitIntervalSeconds },
        simulation: { readings_per_second: 30, run_time_seconds: 100, sensors: 7 },
      });
      const { path, table } = givenTable();
      expect(await runLive(givenContext(table).context, givenFleet(settings), settings)).toBe(3000);
      contents.push(rowsOf(path));
    }
    expect(contents[0]).toHaveLength(3000);
    expect(contents[1]).toEqual(contents[0]);
  });

  test("of a stop that comes between two commits are written", async () => {
    const settings = givenSettings({ database: { commit_interval_seconds: 10 } });
    const { path, table } = givenTable();
    const { context, stop } = givenContext(table, (nowMs) => {
      if (nowMs >= START_MS + 30_000) stop.abort();
      return 0;
    });
    await runLive(context, givenFleet(settings), settings);
    expect(rowsOf(path)).toHaveLength(600);
  });

  test.each([
    ["an hour ahead", 3_600_000],
    ["an hour back", -3_600_000],
  ])("go on at the new time when the clock leaps %s", async (_, leapMs) => {
    const settings = givenSettings({ simulation: { readings_per_second: 10, run_time_seconds: 60 } });
    const { path, table } = givenTable();
    const leaps = [leapMs];
    const { context, messages } = givenContext(table, (nowMs) =>
      nowMs >= START_MS + 20_000 ? (leaps.pop() ?? 0) : 0,
    );
    await runLive(context, givenFleet(settings), settings);
    const times = rowsOf(path).map(({ timestamp }) => Date.parse(String(timestamp)) - START_MS);
    expect(times).toHaveLength(600);
    expect(times.filter((time) => time < 20_000 && time >= 0)).toHaveLength(190);
    expect(times.at(-1)).toBeGreaterThan(59_000 + leapMs);
    expect(messages).toContain("the clock leapt; readings go on at the new time");
  });

  test("are deleted when they are older than the retention, and their ids do not come again", async () => {
    const settings = givenSettings({
      database: { retention_hours: 1, commit_interval_seconds: 300 },
      simulation: { readings_per_second: 2, run_time_seconds: 7_200 },
    });
    const { path, table } = givenTable();
    await runLive(givenContext(table).context, givenFleet(settings), settings);
    const rows = rowsOf(path);
    const oldestMs = Date.parse(String(rows[0]?.timestamp)) - START_MS;
    expect(oldestMs).toBeGreaterThanOrEqual(3_600_000 - 600_000);
    expect(oldestMs).toBeLessThanOrEqual(3_600_000);
    expect(rows.at(-1)?.id).toBe(14_400);
    expect(rows).toHaveLength(14_400 - Number(rows[0]?.id) + 1);
  });

  test("stay without a retention", async () => {
    const settings = givenSettings({
      database: { commit_interval_seconds: 600 },
      simulation: { readings_per_second: 1, run_time_seconds: 7_200 },
    });
    const { path, table } = givenTable();
    await runLive(givenContext(table).context, givenFleet(settings), settings);
    expect(rowsOf(path)).toHaveLength(7_200);
  });
});

describe("a database that refuses a write", () => {
  test.each(["busy", "full"] as const)("because it is %s loses no reading", async (result) => {
    const settings = givenSettings({ simulation: { readings_per_second: 10, run_time_seconds: 60 } });
    const { table, written } = refusing(Array.from({ length: 100 }, () => result));
    const { context, messages } = givenContext(table);
    expect(await runLive(context, givenFleet(settings), settings)).toBe(600);
    expect(written).toEqual(givenFleet(settings).take(600));
    expect(messages).toContain("held readings written");
  });

  test("even during a stop is tried again for a while, then the loss is said", async () => {
    const readings = givenFleet(givenSettings()).take(5);
    const short = refusing(["busy", "busy", "busy"]);
    const stopped = givenContext(short.table);
    stopped.stop.abort();
    await writeReadings(stopped.context, readings);
    expect(short.written).toEqual(readings);

    const long = refusing(Array.from({ length: 1000 }, () => "busy"));
    const lost = givenContext(long.table);
    lost.stop.abort();
    await expect(writeReadings(lost.context, readings)).rejects.toMatchObject({
      code: "SOURCE_LOCKED",
      message: expect.stringContaining("5 readings were not written"),
    });
  });
});

describe("a backfill", () => {
  test("writes the same rows as live readings of the same time", async () => {
    const settings = givenSettings({
      database: { commit_interval_seconds: 20 },
      simulation: { readings_per_second: 100, run_time_seconds: 110 },
    });
    const [past, live] = [givenTable(), givenTable()];
    const progress: number[] = [];
    const { context } = givenContext(past.table);
    await runBackfill(context, givenFleet(settings), 11_000, (rows) => progress.push(rows));
    await runLive(givenContext(live.table).context, givenFleet(settings), settings);
    expect(progress).toEqual([10_000, 11_000]);
    expect(rowsOf(past.path)).toHaveLength(11_000);
    expect(rowsOf(live.path)).toEqual(rowsOf(past.path));
  });

  test("ends after the transaction in hand when it is stopped", async () => {
    const { path, table } = givenTable();
    const { context, stop } = givenContext(table);
    const rows = await runBackfill(context, givenFleet(givenSettings()), 100_000, () => stop.abort());
    expect(rows).toBe(10_000);
    expect(rowsOf(path)).toHaveLength(10_000);
  });
});
