import { existsSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test, vi } from "vitest";
import { givenFile, givenFolder } from "./given-settings.ts";
import { startSensor } from "./sensor-process.ts";

function query<T>(path: string, sql: string): T[] {
  const db = new Database(path, { readonly: true });
  try {
    return db.prepare(sql).pluck().all() as T[];
  } finally {
    db.close();
  }
}

const IDS = "SELECT id FROM sensor_readings ORDER BY id";
const TIMES = "SELECT timestamp FROM sensor_readings ORDER BY id";

test.each(["SIGTERM", "SIGINT"] as const)(
  "%s commits what is in hand, checkpoints and exits 0",
  async (signal) => {
    const folder = givenFolder();
    const config = givenFile(folder, { database: { commit_interval_seconds: 3600 } });
    const path = join(folder, "sensor.db");
    const sensor = startSensor(folder, ["--config", config, "--db", path, "--rate", "1000"]);
    await sensor.says("sensors started");
    const signalledMs = Date.now();
    sensor.child.kill(signal);
    expect(await sensor.ended).toBe(0);
    expect(existsSync(`${path}-wal`)).toBe(false);
    expect(Date.parse(query<string>(path, TIMES).at(-1) ?? "")).toBeGreaterThanOrEqual(signalledMs - 2);
  },
);

test("kill -9 leaves a sound database, and the next run goes on after its ids", async () => {
  const folder = givenFolder();
  const config = givenFile(folder, { database: { commit_interval_seconds: 0.01 } });
  const path = join(folder, "sensor.db");
  const flags = ["--config", config, "--db", path, "--rate", "20000"];
  const killed = startSensor(folder, flags);
  await killed.says("sensors started");
  await vi.waitFor(() => expect(query(path, IDS).length).toBeGreaterThan(2000), {
    timeout: 20_000,
    interval: 10,
  });
  killed.child.kill("SIGKILL");
  expect(await killed.ended).toBe("SIGKILL");
  const before = query<number>(path, IDS);
  expect(query(path, "SELECT * FROM pragma_integrity_check")).toEqual(["ok"]);

  expect(await startSensor(folder, [...flags, "--duration", "0.1"]).ended).toBe(0);
  const after = query<number>(path, IDS);
  expect(after).toEqual(Array.from({ length: before.length + 2000 }, (_, index) => index + 1));
});

test("readings taken while another process holds the database are written when it lets go", async () => {
  const folder = givenFolder();
  const config = givenFile(folder, { database: { commit_interval_seconds: 0.05 } });
  const path = join(folder, "sensor.db");
  const sensor = startSensor(folder, ["--config", config, "--db", path, "--rate", "100"]);
  await sensor.says("sensors started");
  const other = new Database(path);
  other.exec("BEGIN IMMEDIATE");
  await sensor.says("the database is busy; readings are held");
  other.exec("COMMIT");
  other.close();
  await sensor.says("held readings written");
  sensor.child.kill("SIGTERM");
  expect(await sensor.ended).toBe(0);
  const times = query<string>(path, TIMES).map((time) => Date.parse(time));
  const steps = times.slice(1).map((time, index) => time - (times[index] as number));
  expect(times.at(-1)).toBeGreaterThan((times[0] as number) + 1000);
  expect(Math.max(...steps)).toBeLessThanOrEqual(13);
});

test("the same seed and end make the same database, and other seeds another", async () => {
  const folder = givenFolder();
  const build = async (name: string, seed: string): Promise<unknown[]> => {
    const flags = ["--db", name, "--backfill", "12000", "--until", "2025-06-01T00:00:00Z", "--seed", seed];
    expect(await startSensor(folder, flags).ended).toBe(0);
    const db = new Database(join(folder, name), { readonly: true });
    const rows = db.prepare("SELECT * FROM sensor_readings ORDER BY id").raw().all();
    db.close();
    return rows;
  };
  const [first, second, other] = await Promise.all([
    build("a.db", "1"),
    build("b.db", "1"),
    build("c.db", "2"),
  ]);
  expect(first).toHaveLength(12_000);
  expect(second).toEqual(first);
  expect(other).not.toEqual(first);
  const path = join(folder, "a.db");
  const [from, to] = [query<string>(path, TIMES)[0], query<string>(path, TIMES).at(-1)];
  expect(from?.slice(0, 19)).toBe("2025-05-31T23:50:00");
  expect(to?.slice(0, 19)).toBe("2025-05-31T23:59:59");
});

test("--continue joins live readings to the past without a gap", async () => {
  const folder = givenFolder();
  const path = join(folder, "sensor.db");
  const flags = ["--db", path, "--rate", "100", "--backfill", "500", "--continue", "--duration", "0.5"];
  expect(await startSensor(folder, flags).ended).toBe(0);
  const times = query<string>(path, TIMES).map((time) => Date.parse(time));
  expect(times).toHaveLength(550);
  for (const [index, time] of times.entries())
    expect(time - (times[index - 1] ?? time)).toBeLessThanOrEqual(13);
});

test("a user's mistakes are told without a stack trace", async () => {
  const folder = givenFolder();
  const bad = startSensor(folder, ["--sensors", "many", "--ratee", "3"]);
  expect(await bad.ended).toBe(2);
  expect(bad.output()).toContain('--ratee: unknown flag (did you mean "--rate"?)');
  expect(bad.output()).toContain(
    '--sensors (simulation.sensors): expected number, received string, got "many"',
  );
  const unusable = startSensor(folder, ["--db", folder]);
  expect(await unusable.ended).toBe(1);
  expect(unusable.output()).toContain(folder);
  for (const { output } of [bad, unusable]) expect(output()).not.toMatch(/^\s+at /m);
});
