import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { percentile } from "../../bench/statistics.ts";
import { formatBytes, formatCount, formatFields } from "../../src/cli/text-table.ts";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { rowsOf } from "../support/invariants.ts";
import { appendReadings, createReadings, openForTest, openReadings } from "../support/readings.ts";
import { type Interference, type S3Proxy, startS3Proxy } from "../support/s3-proxy.ts";
import { type S3Server, startVersitygw } from "../support/s3-servers.ts";
import { createRandom } from "../support/seeded-random.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { openSite, SEED } from "./campaign.ts";
import type { SoakWriterReport } from "./soak-writer.ts";

/**
 * Everything at once, for as long as SOAK_MINUTES says: `npm run soak -- --minutes 30`. The time is cut into
 * episodes, since the checker has every row of one in memory.
 */
const MINUTES = Number(process.env.SOAK_MINUTES ?? 1);
const EPISODE_MINUTES = 2;
const ROWS_PER_SECOND = 5_000;
/** Longer than the uploader is ever behind, or rows would be lost that nobody promised to ship. */
const KEEP_SECONDS = 30;
/** As long with deletes as without, like the writer beside the uploader at least. */
const BASELINE_SECONDS = 2 * KEEP_SECONDS;
/** What the uploader may cost the writer at the p99 of its inserts. */
const GROWTH_ALLOWED = 0.1;
/** And the milliseconds beside that, by which the p99 of two runs of the writer alone may differ. */
const FLOOR_MS = 1;
const FAULTY_SHARE = 0.15;

/** Once a request is struck by one of these, another try has to bring it through. */
const FAULTS: readonly Interference[] = [
  { answer: { status: 500, code: "InternalError" } },
  { answer: { status: 503, code: "SlowDown" } },
  { answer: { status: 429, code: "TooManyRequests" } },
  { cut: "before" },
  { cut: "in-body" },
  { cut: "after" },
  { cut: "in-answer" },
  { bytesPerSecond: 50_000 },
];

const random = createRandom(SEED);
const total = { rows: 0, objects: 0, faults: 0, kills: 0, changes: 0, deleted: 0, busy: 0, violations: 0 };
const peaks: number[] = [];
const wals: number[] = [];
const inserts: { alone: number[]; loaded: number[] } = { alone: [], loaded: [] };
const deletes: { alone: number[]; loaded: number[] } = { alone: [], loaded: [] };
let server: S3Server;
let proxy: S3Proxy;
let isFaulty = false;

beforeAll(async () => {
  server = await startVersitygw();
  proxy = await startS3Proxy(server.endpoint, () => {
    if (!isFaulty || random() >= FAULTY_SHARE) return undefined;
    total.faults++;
    return FAULTS[Math.floor(random() * FAULTS.length)];
  });
});

afterAll(async () => {
  await proxy?.stop();
  await server?.stop();
  const inMs = (values: readonly number[]) => (values.length > 0 ? `${p99(values).toFixed(2)} ms` : "none");
  process.stdout.write(
    `\n${formatFields([
      ["seed", String(SEED)],
      ["rows written and checked", formatCount(total.rows)],
      ["rows deleted by retention", formatCount(total.deleted)],
      ["objects", formatCount(total.objects)],
      ["faults of the network", formatCount(total.faults)],
      ["kills", formatCount(total.kills)],
      ["changes of the pipeline type", formatCount(total.changes)],
      ["violations", formatCount(total.violations)],
      ["peak memory of the uploader", formatBytes(Math.max(0, ...peaks))],
      ["largest write-ahead log", formatBytes(Math.max(0, ...wals))],
      ["p99 of an insert without the uploader", inMs(inserts.alone)],
      ["p99 of an insert with the uploader", `${inMs(inserts.loaded)}, at most ${allowedMs().toFixed(2)} ms`],
      ["p99 of a delete without the uploader", inMs(deletes.alone)],
      ["p99 of a delete with the uploader", inMs(deletes.loaded)],
      ["commits that met SQLITE_BUSY", formatCount(total.busy)],
    ])}\n`,
  );
});

test("the writer alone, with its deletes", async () => {
  const database = join(temporaryFolder(), "sensor.db");
  openReadings(database).close();
  const writer = startSoakWriter(database);
  await pause(BASELINE_SECONDS * 1000);
  const report = await writer.stop();
  expect(report.deleted).toBeGreaterThan(0);
  append(inserts.alone, report.insertMs);
  append(deletes.alone, report.deleteMs);
});

const episodes = Math.ceil(MINUTES / EPISODE_MINUTES);
test.each(Array.from({ length: episodes }, (_, index) => index + 1))(
  `episode %i of ${episodes}`,
  async () => {
    const throughProxy = { ...server.environment, AWS_ENDPOINT_URL_S3: proxy.endpoint };
    const site = await openSite({ server: { ...server, environment: throughProxy } });
    const writer = startSoakWriter(site.database);
    const end = Date.now() + (MINUTES / episodes) * 60_000;
    isFaulty = true;
    let typeAt = Date.now();
    while (Date.now() < end) {
      const uploader = site.start(["--interval", "0.5"]);
      const killAt = Math.min(end, Date.now() + 2_000 + random() * 8_000);
      while (Date.now() < killAt && uploader.process.exitCode === null) {
        await pause(100);
        if (Date.now() < typeAt) continue;
        site.setType(PIPELINE_TYPES[Math.floor(random() * PIPELINE_TYPES.length)] ?? "raw");
        total.changes++;
        typeAt = Date.now() + 1_000 + random() * 4_000;
      }
      expect(uploader.process.exitCode, uploader.output()).toBeNull();
      peaks.push(peakBytes(uploader.process.pid as number));
      uploader.process.kill("SIGKILL");
      await uploader.finished;
      total.kills++;
      await site.observer.look();
    }
    isFaulty = false;
    const report = await writer.stop();
    wals.push(report.largestWalBytes);
    append(inserts.loaded, report.insertMs);
    append(deletes.loaded, report.deleteMs);
    total.deleted += report.deleted;
    total.busy += report.busy;

    // Rows follow from their numbers, so what was written can be written again.
    const log = openForTest(":memory:");
    createReadings(log);
    appendReadings(log, report.rows);
    const rows = rowsOf(log, "readings");
    const first = site.db.prepare("SELECT min(id) FROM readings").pluck().get() ?? report.rows + 1;
    site.log.wrote((db) => {
      appendReadings(db, report.rows);
      db.prepare("DELETE FROM readings WHERE id < ?").run(first);
    });
    const findings = await site.check([{ name: "readings", incarnations: [{ sinceGeneration: 1, rows }] }]);
    total.violations += findings.violations.length;
    total.objects += findings.objects;
    total.rows += findings.rows;
    expect(findings.rows).toBe(report.rows);
  },
);

test(`the uploader costs the writer at most ${GROWTH_ALLOWED * 100} % and ${FLOOR_MS} ms at the p99 of its inserts`, () => {
  expect(inserts.alone).not.toEqual([]);
  expect(inserts.loaded).not.toEqual([]);
  expect(p99(inserts.loaded)).toBeLessThanOrEqual(allowedMs());
});

function p99(values: readonly number[]): number {
  return values.length > 0 ? percentile(values, 0.99) : 0;
}

function allowedMs(): number {
  return p99(inserts.alone) * (1 + GROWTH_ALLOWED) + FLOOR_MS;
}

function append(all: number[], more: readonly number[]): void {
  for (const value of more) all.push(value);
}

function startSoakWriter(database: string) {
  const program = join(import.meta.dirname, "soak-writer.ts");
  const args = ["--import", import.meta.resolve("tsx"), program, database];
  const child = spawn(process.execPath, [...args, String(ROWS_PER_SECOND), String(KEEP_SECONDS)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const closed = once(child, "close");
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  return {
    async stop(): Promise<SoakWriterReport> {
      child.kill("SIGTERM");
      const [code] = await closed;
      if (code !== 0) throw new Error(`the writer ended with ${code}`);
      return JSON.parse(output);
    },
  };
}

/** The most memory a process has had so far; 0 where it is gone, or the system does not say. */
function peakBytes(pid: number): number {
  try {
    const [, kilobytes = "0"] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return Number(kilobytes) * 1024;
  } catch {
    return 0;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
