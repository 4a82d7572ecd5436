import { rmSync } from "node:fs";
import { join, relative } from "node:path";
import type { Bench, CaseOutcome, Verdict } from "./case.ts";
import type { Contestant, Job } from "./contestants.ts";
import { type Measured, measureRun } from "./measured-run.ts";
import { DATA, makeFolder, ROOT } from "./places.ts";
import { createReadBack, parquetFiles, type ReadBack } from "./read-back.ts";
import { median } from "./statistics.ts";
import { prepareTable, type TestTable } from "./test-tables.ts";
import type { Destination } from "./uploader-command.ts";

export interface Entry {
  readonly contestant: Contestant;
  readonly table: TestTable;
}

export interface RaceOptions {
  readonly name: string;
  readonly sink: "directory" | "s3";
  /** The first is the one that the others are held against. */
  readonly entries: readonly Entry[];
  /** How often each runs, unless `--runs` says. */
  readonly runs: number;
  readonly judge: (medians: Medians) => Verdict[];
}

/** What an entry's runs came to, each figure by itself the median. */
export interface Result extends Measured {
  readonly entry: Entry;
  readonly runs: number;
  readonly fastestSeconds: number;
  readonly slowestSeconds: number;
  readonly writtenBytes: number;
  /** Read back. */
  readonly rows: number;
}

export type Medians = readonly Result[];

interface Sample extends Measured {
  readonly writtenBytes: number;
  readonly rows: number;
}

/**
 * Runs all entries in turn, several times over, so that whatever else the machine does meets all of them
 * alike; each round begins with another entry. What each run wrote is read back and compared.
 *
 * @throws where a run fails or rows are not equal
 */
export async function race(options: RaceOptions, bench: Bench): Promise<CaseOutcome> {
  const { name, entries, judge } = options;
  const runs = bench.runs ?? (bench.quick ? 1 : options.runs);
  for (const { table } of entries) await prepareTable(table, bench.say);
  const readBack = createReadBack(bench.python);
  const commands: string[] = [];
  const samples = entries.map((): Sample[] => []);
  for (let round = 0; round < runs; round++)
    for (let turn = 0; turn < entries.length; turn++) {
      const index = (round + turn) % entries.length;
      const entry = entries[index] as Entry;
      const job = await createJob(options, entry, bench);
      const label = `${name}, run ${round + 1} of ${runs}: ${entry.contestant.name}, ${entry.table.label}`;
      bench.say(label);
      const sample = runOnce(entry, job, readBack, label);
      samples[index]?.push(sample);
      if (round === 0) commands.push(asTyped(entry.contestant, job));
      dispose(job);
    }
  const results = entries.map((entry, index) => summarize(entry, samples[index] as Sample[]));
  return { ...tabulate(results), verdicts: judge(results), commands };
}

let jobs = 0;

async function createJob({ name, sink }: RaceOptions, { table }: Entry, bench: Bench): Promise<Job> {
  const folder = join(DATA, "runs", name);
  rmSync(folder, { recursive: true, force: true });
  makeFolder(folder);
  const { python } = bench;
  if (sink === "directory")
    return { folder, python, source: table, destination: { kind: sink, folder: makeFolder(folder, "lake") } };
  const server = await bench.server();
  const bucket = `bench-${name}-${++jobs}`;
  await server.createBuckets([bucket]);
  const destination: Destination = { kind: sink, server, bucket, folder: join(server.folder, bucket) };
  return { folder, python, source: table, destination };
}

function dispose({ folder, destination }: Job): void {
  rmSync(folder, { recursive: true, force: true });
  rmSync(destination.folder, { recursive: true, force: true });
}

function runOnce({ contestant, table }: Entry, job: Job, readBack: ReadBack, label: string): Sample {
  try {
    contestant.prepare?.(job);
    const measured = measureRun(contestant, job);
    const files = parquetFiles(job.destination.folder);
    const paths = files.map(({ path }) => path);
    const writtenBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    if (contestant.writes === "nothing") return { ...measured, writtenBytes, rows: 0 };
    const rows =
      contestant.writes === "rows" ? readBack.expectRows(table, paths) : readBack.expectWindows(table, paths);
    return { ...measured, writtenBytes, rows };
  } catch (cause) {
    throw new Error(`${label}: ${(cause as Error).message}`, { cause });
  }
}

function summarize(entry: Entry, samples: readonly Sample[]): Result {
  const medianOf = (figure: (sample: Sample) => number) => median(samples.map(figure));
  const walls = samples.map(({ wallSeconds }) => wallSeconds);
  return {
    entry,
    runs: samples.length,
    wallSeconds: median(walls),
    fastestSeconds: Math.min(...walls),
    slowestSeconds: Math.max(...walls),
    cpuSeconds: medianOf(({ cpuSeconds }) => cpuSeconds),
    peakBytes: medianOf(({ peakBytes }) => peakBytes),
    writtenBytes: medianOf(({ writtenBytes }) => writtenBytes),
    rows: medianOf(({ rows }) => rows),
  };
}

/** What is said of an entry as so many times that of the first. */
const RATIOS: readonly (readonly [heading: string, figure: (result: Result) => number])[] = [
  ["wall × first", ({ wallSeconds }) => wallSeconds],
  ["CPU × first", ({ cpuSeconds }) => cpuSeconds],
  ["peak × first", ({ peakBytes }) => peakBytes],
  ["written × first", ({ writtenBytes }) => writtenBytes],
];

function tabulate(results: Medians): Pick<CaseOutcome, "columns" | "cells"> {
  const numbers = [
    "runs",
    "wall s",
    "from – to",
    "CPU s",
    "peak MB",
    "written MB",
    "rows read back",
    ...RATIOS.map(([heading]) => heading),
  ];
  const first = results[0] as Result;
  return {
    columns: [
      { heading: "program" },
      { heading: "table" },
      ...numbers.map((heading) => ({ heading, align: "right" as const })),
    ],
    cells: results.map((result) => [
      result.entry.contestant.name,
      result.entry.table.label,
      String(result.runs),
      result.wallSeconds.toFixed(3),
      `${result.fastestSeconds.toFixed(3)} – ${result.slowestSeconds.toFixed(3)}`,
      result.cpuSeconds.toFixed(3),
      (result.peakBytes / 1e6).toFixed(0),
      (result.writtenBytes / 1e6).toFixed(2),
      result.rows.toLocaleString("en-US"),
      ...RATIOS.map(([, figure]) => (figure(result) / figure(first)).toFixed(2)),
    ]),
  };
}

/** As one would type it in the root of the repository; what it takes to reach versitygw is left out. */
function asTyped(contestant: Contestant, job: Job): string {
  const isOwn = ([name]: readonly string[]) => !/^(PATH|HOME|TMPDIR|AWS_.*)$/.test(name ?? "");
  const settings = Object.entries(contestant.environment(job)).filter(isOwn);
  const [program = "", ...args] = contestant.command(job);
  return [
    ...settings.map(([name, value]) => `${name}=${shortPath(value)}`),
    program === process.execPath ? "node" : shortPath(program),
    ...args.map(shortPath),
  ].join(" ");
}

function shortPath(path: string): string {
  return path.startsWith(ROOT) ? relative(ROOT, path) : path;
}
