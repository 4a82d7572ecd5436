import { execFileSync } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import Database from "better-sqlite3";
import { PIPELINE_TYPES, type PipelineType, type QuerySettings } from "../src/core/types.ts";
import { extract } from "../src/extract.ts";
import { openSource } from "../src/outbox/sources.ts";
import { createStateFolders, openState } from "../src/outbox/state.ts";
import { DEFAULT_REVISION } from "../src/pipeline/revision.ts";
import { createSourceReader, type SourceReader } from "../src/read.ts";
import { openSourceDatabase } from "../src/source-database.ts";
import { noteFile } from "../src/sqlite/file-identity.ts";
import { createExtractionThreads } from "../src/threads/extraction-threads.ts";
import { buildGeneratedTable } from "./generated-table.ts";
import { DATA, makeFolder, ROOT } from "./places.ts";
import { markdownTable } from "./results-page.ts";
import { median } from "./statistics.ts";

/** Of each table and type; what else the machine does makes single runs longer. */
const RUNS = 9;
const TABLE = "readings";

const SETTINGS: QuerySettings = {
  emergency: { filter: { state_9: "idle" } },
  schematized: { schemas: {}, enrich: {} },
  aggregated: { windowSeconds: 60, groupBy: null, metrics: null },
};

/** More rows than one read takes, or more bytes. */
const TABLES: readonly (readonly [label: string, build: (path: string) => void])[] = [
  ["27 columns", (path) => buildGeneratedTable(path, TABLE, 27, 30_000)],
  ["120 columns", (path) => buildGeneratedTable(path, TABLE, 120, 30_000)],
  ["a text of 2 KB", (path) => buildTextTable(path, 2_000, 30_000)],
  ["a text of 100 KB", (path) => buildTextTable(path, 100_000, 600)],
  ["a text of 20 MB", (path) => buildTextTable(path, 20_000_000, 3)],
];

/**
 * `npx tsx bench/event-loop.ts`: how long an extraction keeps the main thread from uploads, signals and health answers,
 * at the longest. With UPLOADER_NATIVE=off, without the C extension.
 */
execFileSync("npm", ["run", "--silent", "build"], { cwd: ROOT, stdio: "inherit" });
const folder = join(DATA, "event-loop");
rmSync(folder, { recursive: true, force: true });
makeFolder(folder);
const cells: string[][] = [];
for (const [index, [label, build]] of TABLES.entries()) {
  const database = join(folder, `${index}.db`);
  build(database);
  for (const type of PIPELINE_TYPES) {
    if (type !== "raw" && label.startsWith("a text")) continue;
    const runs: Blocked[] = [];
    for (let run = 0; run < RUNS; run++) runs.push(await blockedBy(database, type));
    const longest = runs.map((run) => run.longestMs);
    const figures = [median(runs.map((run) => run.firstReadCpuMs)), Math.min(...longest), median(longest)];
    cells.push([label, type, ...figures.map((ms) => ms.toFixed(0))]);
  }
}
console.log(
  markdownTable(
    [
      { heading: "table" },
      { heading: "pipeline type" },
      { heading: "CPU of the first read, ms", align: "right" },
      { heading: "longest block, ms: least", align: "right" },
      { heading: "median", align: "right" },
    ],
    cells,
  ),
);
rmSync(folder, { recursive: true });

/** What one extraction does to the main thread. */
interface Blocked {
  readonly longestMs: number;
  /** Of the longest work there; what else the machine does makes it no longer. */
  readonly firstReadCpuMs: number;
}

async function blockedBy(sqlitePath: string, type: PipelineType): Promise<Blocked> {
  const stateFolder = makeFolder(folder, "state");
  const state = openState(createStateFolders(stateFolder), Date.now());
  const db = openSourceDatabase(sqlitePath);
  const buckets = { raw: "raw", schematized: "raw", aggregated: "raw", emergency: "raw" };
  const destination = { place: "directory lake", buckets };
  openSource(state, "bench", TABLE, destination);
  const threads = createExtractionThreads(
    {
      ...{ sqlitePath, pipelineDbPath: null, timestampColumn: null, queries: SETTINGS },
      sourceFileId: noteFile(sqlitePath).id,
      lastKnownRevision: null,
    },
    () => {},
  );
  const reader = createSourceReader({
    ...{ db, table: TABLE, timestampColumn: null, settings: SETTINGS },
    readRevision: () => ({ ...DEFAULT_REVISION, type }),
    now: () => Date.now(),
  });
  let firstReadCpuMs = 0;
  const read: SourceReader["read"] = (request) => {
    const before = threadCpuMs();
    const outcome = reader.read(request);
    firstReadCpuMs += threadCpuMs() - before;
    return outcome;
  };
  const delay = monitorEventLoopDelay({ resolution: 1 });
  await sleep(50);
  delay.enable();
  await sleep(10);
  await extract(
    {
      ...{ state, reader: { ...reader, read }, threads, node: "bench", table: TABLE, destination },
      ...{ compression: "snappy", maxRows: 1_000_000, clock: { now: () => Date.now() } },
    },
    { targetBytes: 50 * 2 ** 20, shipOpenWindows: true, signal: new AbortController().signal },
  );
  await sleep(10);
  delay.disable();
  await threads.close();
  db.close();
  state.close();
  rmSync(stateFolder, { recursive: true });
  return { longestMs: delay.max / 1e6, firstReadCpuMs };
}

/** https://docs.kernel.org/scheduler/sched-stats.html: the first figure is nanoseconds on the CPU. */
function threadCpuMs(): number {
  return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;
}

function buildTextTable(path: string, length: number, rows: number): void {
  const db = new Database(path);
  db.exec(`CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY, note TEXT)`);
  const insert = db.prepare(`INSERT INTO ${TABLE} (note) VALUES (?)`);
  db.transaction(() => {
    for (let row = 0; row < rows; row++) insert.run(`${row} `.repeat(length / `${row} `.length));
  })();
  db.close();
}
