import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import Database from "better-sqlite3";
import { createRandom } from "../sample-sensor/src/random.ts";
import { parseObjectKey } from "../src/core/object-key.ts";
import type { Bench, CaseOutcome } from "./case.ts";
import { DATA, makeFolder } from "./places.ts";
import { createReadBack, parquetFiles } from "./read-back.ts";
import { percentile } from "./statistics.ts";
import { setPipelineType, startUploader, type UploaderRun } from "./uploader-command.ts";

const NAME = "emergency";
const TABLE = "readings";
/** So many commits, each with one emergency and some rows that are none. */
const COMMITS = 200;
const QUICK_COMMITS = 20;
const ROWS_PER_COMMIT = 20;
/** Commits come at random, evenly between these, so that they fall into any moment of the uploader's cycle. */
const LEAST_PAUSE_MS = 50;
const MOST_PAUSE_MS = 350;
/** How often the bucket is looked at; what is measured is late by up to that. */
const LOOK_EVERY_MS = 10;
const GIVE_UP_MS = 30_000;
const LIMIT_MS = 500;

/** How long an emergency takes from its commit until its object is in the bucket, with default settings. */
export async function emergencyLatency(bench: Bench): Promise<CaseOutcome> {
  const server = await bench.server();
  const folder = join(DATA, "runs", NAME);
  const latencies: number[] = [];
  for (let run = 1; run <= (bench.runs ?? 1); run++) {
    bench.say(`${NAME}, run ${run}`);
    rmSync(folder, { recursive: true, force: true });
    const source = { database: join(makeFolder(folder), "sensor.db"), table: TABLE };
    const bucket = `bench-${NAME}-${run}`;
    await server.createBuckets([bucket]);
    const stored = join(server.folder, bucket);
    const destination = { kind: "s3", server, bucket, folder: stored } as const;
    latencies.push(...(await measure({ source, folder, destination }, bench)));
    const paths = parquetFiles(stored).map(({ path }) => path);
    createReadBack(bench.python).expectRows(source, paths);
  }
  rmSync(folder, { recursive: true, force: true });

  const shares = [0.5, 0.9, 0.99, 1];
  const at = shares.map((share) => percentile(latencies, share));
  const headings = ["emergencies", "median ms", "p90 ms", "p99 ms", "most ms"];
  return {
    columns: headings.map((heading) => ({ heading, align: "right" })),
    cells: [[String(latencies.length), ...at.map((milliseconds) => milliseconds.toFixed(0))]],
    verdicts: [
      {
        what: "row committed → object in the bucket, p99",
        measured: percentile(latencies, 0.99),
        unit: "ms",
        bound: "at most",
        limit: LIMIT_MS,
      },
    ],
    commands: ["pipeline-manager set emergency", "node dist/src/cli/uploader.js"],
  };
}

/** @returns milliseconds, for each emergency */
async function measure(run: UploaderRun, bench: Bench): Promise<number[]> {
  const db = createSource(run.source.database);
  setPipelineType(run, "emergency");
  const uploader = startUploader(run, {});
  const commits = bench.quick ? QUICK_COMMITS : COMMITS;
  const random = createRandom("bench emergency");
  const committed = new Map<bigint, number>();
  const latencies: number[] = [];

  const look = () => {
    const now = performance.now();
    for (const { first, last } of arrivals(join(run.destination.folder, "emergency", TABLE)))
      for (const [rowid, since] of committed)
        if (rowid >= first && rowid <= last) {
          latencies.push(now - since);
          committed.delete(rowid);
        }
  };
  const arrivals = createArrivals();

  try {
    // The first one waits for the start of the program and is not counted.
    for (let commit = 0; commit <= commits; commit++) {
      committed.set(insertReadings(db), performance.now());
      const pause = LEAST_PAUSE_MS + random.uniform() * (MOST_PAUSE_MS - LEAST_PAUSE_MS);
      for (const end = performance.now() + pause; performance.now() < end; await delay(LOOK_EVERY_MS)) look();
      if (commit === 0) await untilAllSeen();
    }
    await untilAllSeen();
  } finally {
    db.close();
    await uploader.stop();
  }
  return latencies.slice(1);

  async function untilAllSeen(): Promise<void> {
    for (const end = performance.now() + GIVE_UP_MS; committed.size > 0; await delay(LOOK_EVERY_MS)) {
      look();
      if (performance.now() > end) throw new Error(`${committed.size} emergencies did not arrive in 30 s`);
    }
  }
}

/** Gives the range of rowids of each object in a folder once. */
function createArrivals(): (folder: string) => { readonly first: bigint; readonly last: bigint }[] {
  const seen = new Set<string>();
  return (folder) => {
    if (!existsSync(folder)) return [];
    const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
    return names.flatMap((name) => {
      if (seen.has(name)) return [];
      seen.add(name);
      const range = parseObjectKey(`emergency/${TABLE}/${name}`)?.range;
      return range ? [range] : [];
    });
  };
}

function createSource(path: string): Database.Database {
  const db = new Database(path);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.exec(`CREATE TABLE ${TABLE} (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL,
    sensor_id TEXT NOT NULL, temperature REAL, anomaly_flag INTEGER NOT NULL)`);
  return db;
}

/** @returns the rowid of the emergency among them */
function insertReadings(db: Database.Database): bigint {
  const insert = db.prepare(
    `INSERT INTO ${TABLE} (timestamp, sensor_id, temperature, anomaly_flag) VALUES (?, ?, ?, ?)`,
  );
  return db.transaction(() => {
    const now = new Date().toISOString();
    for (let row = 1; row < ROWS_PER_COMMIT; row++) insert.run(now, `sensor-${row}`, 20 + row, 0);
    return BigInt(insert.run(now, "sensor-0", 90, 1).lastInsertRowid);
  })();
}
