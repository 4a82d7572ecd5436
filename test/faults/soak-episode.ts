import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { getPriority, setPriority } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished } from "vitest";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { type Findings, rowsOf } from "../support/invariants.ts";
import { appendReadings, createReadings, openForTest } from "../support/readings.ts";
import { type Interference, startS3Proxy } from "../support/s3-proxy.ts";
import { type S3Server, startVersitygw } from "../support/s3-servers.ts";
import { openSite, type Site } from "./campaign.ts";
import type { Commit, SoakWriterReport } from "./soak-writer.ts";

const ROWS_PER_SECOND = 5_000;

/** For how long the writer keeps its rows. */
const KEEP_SECONDS = 60;

const FAULTY_SHARE = 0.15;

/** Of Linux's clock for processes, on every architecture that Node.js has. */
const TICKS_PER_SECOND = 100;

/** Of the writer, and of what runs beside it at its start; the soak's own is lower, where that may be raised again. */
const PROGRAMS_PRIORITY = Number(process.env.SOAK_PROGRAMS_PRIORITY ?? getPriority());

const MEMORY_DISK = "/dev/shm";

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

/** An S3 server that is reached by a proxy, which strikes some of the requests. */
export interface FaultyServer {
  readonly server: S3Server;
  /** Requests struck so far. */
  readonly faults: number;
  /** Whether requests are struck from now on. */
  strike(isOn: boolean): void;
  stop(): Promise<void>;
}

export async function startFaultyServer(random: () => number): Promise<FaultyServer> {
  // It stands for a machine elsewhere, which takes neither the sensor's disk nor, as far as it can be had, its CPU.
  const folder = existsSync(MEMORY_DISK) ? mkdtempSync(join(MEMORY_DISK, "soak-")) : undefined;
  const server = await startVersitygw({ yields: true, ...(folder && { folder }) });
  let isFaulty = false;
  let faults = 0;
  const proxy = await startS3Proxy(server.endpoint, () => {
    if (!isFaulty || random() >= FAULTY_SHARE) return undefined;
    faults++;
    return FAULTS[Math.floor(random() * FAULTS.length)];
  });
  return {
    server: { ...server, environment: { ...server.environment, AWS_ENDPOINT_URL_S3: proxy.endpoint } },
    get faults() {
      return faults;
    },
    strike: (isOn) => {
      isFaulty = isOn;
    },
    async stop() {
      await proxy.stop();
      await server.stop();
      if (folder) rmSync(folder, { recursive: true });
    },
  };
}

/** What runs beside the writer; `load`: a process that takes as much CPU time as the uploader did, and does nothing. */
export type Beside = "nothing" | "uploader" | "load";

/** A part of an episode. */
export interface Phase {
  readonly beside: Beside;
  readonly seconds: number;
}

/** With the writer's commits that began in it. */
export interface PastPhase extends Phase {
  readonly inserts: readonly Commit[];
  readonly deletes: readonly Commit[];
}

export interface EpisodeReport {
  readonly writer: SoakWriterReport;
  readonly phases: readonly PastPhase[];
  readonly findings: Findings;
  readonly kills: number;
  /** Of the pipeline type. */
  readonly changes: number;
  /** Of the uploader. */
  readonly peakBytes: number;
  /** The CPU time of the uploader, and for how long it ran. */
  readonly cpuSeconds: number;
  readonly seconds: number;
}

interface Tally {
  kills: number;
  changes: number;
  peakBytes: number;
  cpuSeconds: number;
  seconds: number;
}

/**
 * Everything at once: a writer that deletes what is old, an uploader that is killed after 2 to 10 seconds again and
 * again, requests that fail, a pipeline type that changes; then the checker looks at every row. It has all of them in
 * memory, which bounds the length of an episode.
 *
 * @param keepSeconds for how long the writer keeps its rows, which it has from the start; at least twice as long as the
 *   uploader is away, or rows would be gone that nobody promised to ship
 */
export async function runEpisode(
  remote: FaultyServer,
  phases: readonly Phase[],
  random: () => number,
  keepSeconds = KEEP_SECONDS,
): Promise<EpisodeReport> {
  if (2 * longestAway(phases) > keepSeconds)
    throw new Error(`${keepSeconds} s is too short for these phases`);
  const site = await openSite({ server: remote.server });
  const writer = startSoakWriter(site, keepSeconds);
  const tally: Tally = { kills: 0, changes: 0, peakBytes: 0, cpuSeconds: 0, seconds: 0 };
  const ends: number[] = [];
  const began = Date.now();
  remote.strike(true);
  for (const { beside, seconds } of phases) {
    const end = Date.now() + seconds * 1000;
    while (beside === "uploader" && Date.now() < end) await killOnce(site, end, random, tally);
    while (beside === "load" && Date.now() < end) await loadOnce(shareOf(tally), end, random);
    await pause(end - Date.now());
    ends.push(Date.now());
  }
  remote.strike(false);
  const report = await writer.stop();

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
  expect(findings.rows).toBe(report.rows);
  const within = (commits: readonly Commit[], index: number) =>
    commits.filter(([at]) => at >= (ends[index - 1] ?? began) && at < (ends[index] as number));
  return {
    writer: report,
    phases: phases.map((phase, index) => ({
      ...phase,
      inserts: within(report.inserts, index),
      deletes: within(report.deletes, index),
    })),
    findings,
    ...tally,
  };
}

function longestAway(phases: readonly Phase[]): number {
  let away = 0;
  const lengths = phases.map(({ beside, seconds }) => {
    away = beside === "uploader" ? 0 : away + seconds;
    return away;
  });
  return Math.max(0, ...lengths);
}

/** Starts the uploader and kills it a few seconds later, at `end` at the latest; changes the type meanwhile. */
async function killOnce(site: Site, end: number, random: () => number, tally: Tally): Promise<void> {
  const began = Date.now();
  const uploader = atProgramsPriority(() => site.start(["--interval", "0.5"]));
  const killAt = killTime(end, random);
  let typeAt = Date.now() + random() * 3_000;
  while (Date.now() < killAt && uploader.process.exitCode === null) {
    await pause(Math.min(typeAt, killAt) - Date.now());
    if (Date.now() < typeAt) continue;
    site.setType(PIPELINE_TYPES[Math.floor(random() * PIPELINE_TYPES.length)] ?? "raw");
    tally.changes++;
    typeAt = Date.now() + 1_000 + random() * 4_000;
  }
  expect(uploader.process.exitCode, uploader.output()).toBeNull();
  const pid = uploader.process.pid as number;
  tally.peakBytes = Math.max(tally.peakBytes, peakBytes(pid));
  tally.cpuSeconds += cpuSeconds(pid);
  tally.seconds += (Date.now() - began) / 1000;
  uploader.process.kill("SIGKILL");
  await uploader.finished;
  tally.kills++;
  await site.observer.look();
}

/** Starts a process that only computes, and kills it when an uploader would be killed. */
async function loadOnce(share: number, end: number, random: () => number): Promise<void> {
  const program = join(import.meta.dirname, "soak-load.js");
  const load = atProgramsPriority(() =>
    spawn(process.execPath, [program, String(share)], { stdio: "inherit" }),
  );
  const closed = once(load, "close");
  await pause(killTime(end, random) - Date.now());
  expect(load.exitCode).toBeNull();
  load.kill("SIGKILL");
  await closed;
}

/** Starts a process, which begins with the priority of the thread that starts it. */
function atProgramsPriority<Started>(start: () => Started): Started {
  const own = getPriority();
  if (own === PROGRAMS_PRIORITY) return start();
  setPriority(PROGRAMS_PRIORITY);
  try {
    return start();
  } finally {
    setPriority(own);
  }
}

function killTime(end: number, random: () => number): number {
  return Math.min(end, Date.now() + 2_000 + random() * 8_000);
}

/** Of one CPU, what the uploader took while it ran; 0 where the system does not say. */
function shareOf({ cpuSeconds, seconds }: Tally): number {
  return seconds > 0 ? Math.min(1, cpuSeconds / seconds) : 0;
}

function startSoakWriter({ database, stateDir }: Site, keepSeconds: number) {
  const program = join(import.meta.dirname, "soak-writer.ts");
  const args = ["--import", import.meta.resolve("tsx"), program, database];
  args.push(String(ROWS_PER_SECOND), String(keepSeconds), join(stateDir, "state.db"));
  const child = atProgramsPriority(() =>
    spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] }),
  );
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

/** The CPU time of a process and its threads so far; 0 where it is gone, or the system does not say. */
function cpuSeconds(pid: number): number {
  try {
    const [, fields = ""] = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ");
    const [utime, stime] = fields.split(" ").slice(11, 13);
    return (Number(utime) + Number(stime)) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
