import { cpSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Sleep } from "../../src/core/clock.ts";
import { createHealth, type Judgement } from "../../src/observe/health.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { noMonitor, tellAll } from "../../src/observe/monitor.ts";
import { serveStatus } from "../../src/observe/status-server.ts";
import { freePort, takePort } from "../support/free-port.ts";
import { type LakeObject, listObjects } from "../support/lake-reader.ts";
import { packagesIn, recordLoadedModules } from "../support/loaded-modules.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";
import { samplesIn } from "../support/metric-samples.ts";
import { appendReadings, createReadings, openReadings } from "../support/readings.ts";
import { startInProcess, uploadOnce } from "../support/run-in-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { runProgram, startProgram } from "../support/uploader-process.ts";

function site() {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  const db = openReadings(database);
  appendReadings(db, 10);
  const lake = join(folder, "lake");
  const flags = ["--sqlite", database, "--directory", lake, "--node-id", "press-7"];
  return { folder, database, db, lake, flags };
}

async function ask(port: number, path: string): Promise<Response | null> {
  return fetch(`http://127.0.0.1:${port}${path}`).catch(() => null);
}

/** The answer of /healthz; null while nobody answers. */
async function healthAt(port: number) {
  const answer = await ask(port, "/healthz");
  if (answer === null) return null;
  const judgement = (await answer.json()) as { status: string; aliveAt: string; reasons: string[] };
  return { code: answer.status, ...judgement };
}

async function samplesAt(port: number): Promise<ReadonlyMap<string, number>> {
  return samplesIn((await (await ask(port, "/metrics"))?.text()) ?? "");
}

function sum(objects: readonly LakeObject[], figure: (object: LakeObject) => number): number {
  return objects.reduce((total, object) => total + figure(object), 0);
}

test("metrics scraped from a running uploader are what lies in the lake, through a change of the type", async () => {
  const { folder, database, db, lake, flags } = site();
  appendReadings(db, 990);
  createReadings(db, "events");
  appendReadings(db, 500, { table: "events" });
  const port = await freePort();
  const uploader = startProgram(
    "uploader",
    [...flags, "--table", "readings,events", "--interval", "0.1", "--max-batch-size", "300"],
    { cwd: folder, env: { STATE_DIR: "state", STATUS_ADDRESS: String(port) } },
  );
  const delivered = (type: string) => `{pipeline_type="${type}"}`;
  const untilDelivered = (type: string, rows: number) =>
    until(`${rows} rows are delivered as ${type}`, async () => {
      const samples = await samplesAt(port);
      const isAll = samples.get(`uploader_delivered_rows_total${delivered(type)}`) === rows;
      return isAll && samples.get("uploader_outbox_objects") === 0 ? samples : null;
    });

  await untilDelivered("raw", 1_500);
  const ofRaw = listObjects(lake);
  const set = ["set", "emergency", "--db", database];
  expect(await runProgram("pipeline-manager", set, { cwd: folder })).toMatchObject({ code: 0 });
  appendReadings(db, 100);
  const samples = await untilDelivered("emergency", 100);

  const keys = new Set(ofRaw.map(({ key }) => key));
  const ofEmergency = listObjects(lake).filter(({ key }) => !keys.has(key));
  expect(ofEmergency.map(({ name }) => name.route.type).sort()).toEqual(["emergency", "raw"]);
  for (const [type, objects] of [
    ["raw", ofRaw],
    ["emergency", ofEmergency],
  ] as const) {
    const figures = ["objects", "rows", "bytes"].map((what) =>
      samples.get(`uploader_delivered_${what}_total${delivered(type)}`),
    );
    expect(figures).toEqual([
      objects.length,
      sum(objects, ({ name }) => name.rows),
      sum(objects, ({ path }) => statSync(path).size),
    ]);
  }
  expect(Object.fromEntries(samples)).toMatchObject({
    'uploader_extracted_rows_total{table="readings",pipeline_type="raw"}': 1_000,
    'uploader_extracted_rows_total{table="events",pipeline_type="raw"}': 500,
    'uploader_extracted_rows_total{table="readings",pipeline_type="emergency"}': 100,
    uploader_outbox_bytes: 0,
    uploader_outbox_oldest_age_seconds: 0,
    'uploader_source_lag_rows{table="readings"}': 0,
    'uploader_source_stopped{table="events"}': 0,
    'uploader_pipeline_info{node="press-7",pipeline_type="emergency"}': 1,
  });
  expect([...samples.keys()].join()).not.toMatch(/failures_total/);
  uploader.process.kill("SIGTERM");
  expect(await uploader.finished).toMatchObject({ code: 0 });
});

test("where the sink does not answer, the outbox and the failures tell, and it is well all the same", async () => {
  const { folder, flags } = site();
  const port = await freePort();
  const uploader = startProgram("uploader", [...flags.slice(0, 2), "--interval", "0.1"], {
    cwd: folder,
    env: {
      STATE_DIR: "state",
      STATUS_ADDRESS: String(port),
      S3_ENABLED: "true",
      S3_REGION: "us-west-2",
      S3_PREFIX: "press",
      AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${await freePort()}`,
      AWS_ACCESS_KEY_ID: "nobody",
      AWS_SECRET_ACCESS_KEY: "nothing",
    },
  });
  const failures = 'uploader_delivery_failures_total{pipeline_type="raw",code="SINK_UNAVAILABLE"}';
  const samples = await until("a try has failed", async () => {
    const found = await samplesAt(port);
    return (found.get(failures) ?? 0) > 0 ? found : null;
  });
  expect(samples.get("uploader_outbox_objects")).toBe(1);
  expect(samples.get("uploader_outbox_bytes")).toBeGreaterThan(0);
  expect(samples.get('uploader_delivered_objects_total{pipeline_type="raw"}')).toBe(0);
  expect(samples.get("uploader_last_delivery_timestamp_seconds")).toBe(0);
  expect(await healthAt(port)).toMatchObject({ code: 200, status: "ok", reasons: [] });
  uploader.process.kill("SIGTERM");
  expect(await uploader.finished).toMatchObject({ code: 0 });
});

test("a running uploader answers, cycle by cycle, and SIGTERM ends it all the same", async () => {
  const { folder, flags } = site();
  const port = await freePort();
  const uploader = startProgram("uploader", [...flags, "--interval", "0.1"], {
    cwd: folder,
    env: { STATE_DIR: "state", STATUS_ADDRESS: String(port) },
  });
  const first = await until("it answers", () => healthAt(port));
  await until("a later cycle has ended", async () => ((await healthAt(port))?.aliveAt ?? "") > first.aliveAt);
  uploader.process.kill("SIGTERM");
  expect(await uploader.finished).toMatchObject({ code: 0 });
});

/** An uploader within the test, whose clock the test moves, and which is asked over HTTP. */
async function served(clock: ManualClock) {
  const port = await freePort();
  const health = createHealth({ intervalSeconds: 60, clock });
  const metrics = createMetrics(clock);
  const address = { host: "127.0.0.1", port };
  const server = await serveStatus({ address, judge: health.judge, metrics });
  onTestFinished(() => server.close());
  return { port, monitor: tellAll([health, metrics]) };
}

test("/healthz turns 503 when cycles stall, and 200 when they go on", async () => {
  const { folder, database, lake } = site();
  const clock = createManualClock(Date.now());
  const { port, monitor } = await served(clock);
  const waits = new Set<() => void>();
  // What waits hangs until the test lets it go on, whatever the clock says.
  const sleep: Sleep = (_, signal) =>
    new Promise((resolve) => {
      const end = () => {
        waits.delete(end);
        resolve();
      };
      waits.add(end);
      signal?.addEventListener("abort", end, { once: true });
    });
  const argv = { sqlite: database, directory: lake, "state-dir": "state", interval: "60" };
  const uploader = startInProcess({ argv, cwd: folder, clock, sleep, monitor });
  await until("it waits for the next cycle", () => waits.size === 3);
  clock.advance(180_000);
  expect(await healthAt(port)).toMatchObject({ code: 200, status: "ok" });
  clock.advance(1);
  expect(await healthAt(port)).toMatchObject({
    code: 503,
    status: "stalled",
    reasons: ["no cycle, extraction or delivery has ended for 180 s"],
  });
  for (const end of waits) end();
  await until("a cycle has ended", async () => (await healthAt(port))?.code === 200);
  expect(await uploader.stop()).toBe(0);
});

test("it is ill, and the metrics say why, when every source was taken over by another uploader", async () => {
  const { folder, database, db, lake } = site();
  const settings = (state: string) => ({
    cwd: folder,
    argv: { sqlite: database, directory: lake, "state-dir": state, "node-id": "press-7", interval: "60" },
  });
  const clock = createManualClock(Date.now());
  const health = createHealth({ intervalSeconds: 60, clock });
  const metrics = createMetrics(clock);
  let atItsEnd: Promise<{ judgement: Judgement; text: string }> | undefined;
  const look = async () => ({ judgement: health.judge(), text: await metrics.text() });
  const watcher = {
    ...noMonitor,
    stopping: () => {
      atItsEnd = look();
    },
  };
  const monitor = tellAll([health, metrics, watcher]);
  const older = startInProcess({ ...settings("state"), clock, sleep: clock.sleep, monitor });
  await until("it waits for the next cycle", () => clock.waits() === 3);
  expect(health.judge()).toMatchObject({ status: "ok" });
  cpSync(join(folder, "state"), join(folder, "copy"), { recursive: true });
  expect(await uploadOnce(settings("copy"))).toBe(0);
  appendReadings(db, 50);
  clock.advance(60_000);
  await until("it is refused", () => older.log.some(({ err }) => err?.code === "OWNED_BY_ANOTHER"));
  clock.advance(250);
  expect(await older.finished).toBe(1);
  const { judgement, text = "" } = (await atItsEnd) ?? {};
  expect(judgement).toMatchObject({
    status: "stopped",
    reasons: ["every source is stopped; the log says why"],
  });
  expect(Object.fromEntries(samplesIn(text))).toMatchObject({
    'uploader_source_stopped{table="readings"}': 1,
    'uploader_delivery_failures_total{pipeline_type="raw",code="OWNED_BY_ANOTHER"}': 1,
  });
});

test("an address that is taken, or is none, is an error that says so, and nothing is shipped", async () => {
  const { folder, lake, flags } = site();
  const taken = await takePort();
  onTestFinished(() => taken.close());
  const run = (address: string) =>
    runProgram("uploader", [...flags, "--once"], {
      cwd: folder,
      env: { STATE_DIR: "state", STATUS_ADDRESS: address },
    });
  expect(await run(`127.0.0.1:${taken.port}`)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\).*\n.*STATUS_ADDRESS/),
  });
  for (const address of ["somewhere", "127.0.0.1:", "0", "127.0.0.1:65536"])
    expect(await run(address)).toMatchObject({
      code: 2,
      stderr: expect.stringMatching(/status_address: must be host:port.*STATUS_ADDRESS/),
    });
  expect(listObjects(lake)).toEqual([]);
});

test("only a run that is asked for metrics loads what serves them", async () => {
  const { folder, flags } = site();
  const packages = async (name: string, env: Readonly<Record<string, string>>) => {
    const record = join(folder, name);
    const run = await runProgram("uploader", [...flags, "--once"], {
      cwd: folder,
      env: { STATE_DIR: "state", ...recordLoadedModules(record), ...env },
    });
    expect(run).toMatchObject({ code: 0 });
    return packagesIn(record);
  };
  expect(await packages("without", {})).not.toContain("prom-client");
  expect(await packages("with", { STATUS_ADDRESS: String(await freePort()) })).toContain("prom-client");
});
