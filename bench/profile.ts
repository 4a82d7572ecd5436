import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import { isPipelineType } from "../src/core/types.ts";
import { DATA, makeFolder, ROOT } from "./places.ts";
import { millisecondsByStage } from "./profile/cpu-profile.ts";
import { STAGES } from "./profile/stages.ts";
import { markdownTable } from "./results-page.ts";
import { prepareTable, sensorTable } from "./test-tables.ts";
import {
  type Destination,
  setPipelineType,
  type UploaderRun,
  uploaderEnvironment,
  uploaderOnce,
} from "./uploader-command.ts";
import { startServer } from "./versitygw.ts";

const SAMPLE_EVERY_MICROSECONDS = 500;
const INSTRUMENT = join(import.meta.dirname, "profile", "instrument.js");
const BUCKET = "bench-profile";

try {
  await main(process.argv.slice(2));
} catch (error) {
  say((error as Error).message);
  process.exitCode = 1;
}

/** `npm run bench:profile`: what the uploader's time goes to, to a directory and to S3. */
async function main(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      type: { type: "string", default: "raw" },
      rows: { type: "string", default: "1000000" },
    },
  });
  const { quick, type } = values;
  if (!isPipelineType(type)) throw new Error(`There is no pipeline type ${type}.`);
  execFileSync("npm", ["run", "--silent", "build"], { cwd: ROOT, stdio: "inherit" });
  const table = sensorTable(Number(values.rows), quick);
  await prepareTable(table, say);
  const folder = join(DATA, "profile");
  rmSync(folder, { recursive: true, force: true });

  const toDirectory = makeFolder(folder, "directory");
  const lake = makeFolder(toDirectory, "lake");
  const profile = (destination: Destination, runFolder: string) => {
    const run: UploaderRun = { source: table, destination, folder: runFolder };
    if (type !== "raw") setPipelineType(run, type);
    console.log(`\n## ${type}, ${table.label}, to ${destination.kind}\n\n${profileRun(run)}\n`);
  };
  profile({ kind: "directory", folder: lake }, toDirectory);
  rmSync(lake, { recursive: true });

  const server = await startServer(say);
  try {
    await server.createBuckets([BUCKET]);
    const stored = join(server.folder, BUCKET);
    profile({ kind: "s3", server, bucket: BUCKET, folder: stored }, makeFolder(folder, "s3"));
  } finally {
    await server.stop();
  }
  say(`the profiles are in ${relative(process.cwd(), folder)}, for the developer tools of Chrome`);
}

/** Runs the uploader under the sampling profiler of V8, and adds up what it found. */
function profileRun(run: UploaderRun): string {
  const waits = join(run.folder, "waits.jsonl");
  const [node = "", ...command] = uploaderOnce();
  const profiler = ["--cpu-prof", `--cpu-prof-dir=${run.folder}`];
  const interval = `--cpu-prof-interval=${SAMPLE_EVERY_MICROSECONDS}`;
  const began = performance.now();
  const log = execFileSync(node, [...profiler, interval, "--import", INSTRUMENT, ...command], {
    cwd: run.folder,
    env: { ...uploaderEnvironment(run), BENCH_WAITS: waits },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "inherit"],
  });
  const wallMs = performance.now() - began;
  return [threadTable(run.folder), waitTable(run, wallMs, log, waits)].join("\n\n");
}

/** Milliseconds of CPU by stage, one column for each thread. */
function threadTable(folder: string): string {
  const profiles = readdirSync(folder)
    .filter((name) => name.endsWith(".cpuprofile"))
    .sort((a, b) => threadOf(a) - threadOf(b));
  const threads = profiles.map((name) => millisecondsByStage(join(folder, name)));
  const headings = profiles.map(threadOf).map((id) => (id === 0 ? "main thread ms" : `thread ${id} ms`));
  return markdownTable(
    [{ heading: "stage" }, ...headings.map((heading) => ({ heading, align: "right" as const }))],
    STAGES.map((stage) => [stage, ...threads.map((thread) => (thread.get(stage) ?? 0).toFixed(0))]),
  );
}

/** Node names profiles `CPU.{date}.{time}.{process}.{thread}.{number}.cpuprofile`; the main thread is 0. */
function threadOf(name: string): number {
  return Number(name.split(".")[4]);
}

/** What is waited for while other things go on, so that it does not add up to the wall time. */
function waitTable(run: UploaderRun, wallMs: number, log: string, waits: string): string {
  const syncs = existsSync(waits) ? lines(waits).flatMap(({ waits }) => waits) : [];
  const isOutbox = ({ path }: Wait) => path.startsWith(join(run.folder, "state"));
  const sum = (some: readonly Wait[]) => some.reduce((total, { milliseconds }) => total + milliseconds, 0);
  const durations = (message: string) =>
    log
      .split("\n")
      .filter((line) => line.includes(`"msg":"${message}"`))
      .reduce((total, line) => total + (JSON.parse(line) as { durationMs: number }).durationMs, 0);
  const rows: [string, number][] = [
    ["the whole run, with the profiler", wallMs],
    ["extractions, from the first read to the commit", durations("extracted")],
    ["of these: fsync of objects and folder in the outbox", sum(syncs.filter(isOutbox))],
    ["puts, beside the extractions", durations("delivered")],
    ["of these: fsync in the directory", sum(syncs.filter((wait) => !isOutbox(wait)))],
  ];
  return markdownTable(
    [{ heading: "wall" }, { heading: "ms", align: "right" }],
    rows.map(([what, milliseconds]) => [what, milliseconds.toFixed(0)]),
  );
}

interface Wait {
  readonly path: string;
  readonly milliseconds: number;
}

function lines(path: string): { readonly waits: readonly Wait[] }[] {
  const texts = readFileSync(path, "utf8")
    .split("\n")
    .filter((line) => line !== "");
  return texts.map((line) => JSON.parse(line));
}

function say(text: string): void {
  process.stderr.write(`bench: ${text}\n`);
}
