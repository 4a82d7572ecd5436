import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { tableFromIPC } from "apache-arrow";
import Database from "better-sqlite3";
import { readParquet } from "parquet-wasm";
import { formatBytes, formatCount, formatTable } from "../src/cli/text-table.ts";
import { type ObjectName, parseObjectKey } from "../src/core/object-key.ts";
import { PIPELINE_TYPES, type PipelineType } from "../src/core/types.ts";
import { openPrograms } from "./pipeline/programs.ts";
import { untilArrived } from "./pipeline/until-arrived.ts";

const ROOT = join(import.meta.dirname, "..");
const FOLDER = join(ROOT, ".demo");
const DATABASE = join(FOLDER, "sensor_data.db");
const LAKE = join(FOLDER, "lake");
const CONFIG = join(FOLDER, "config.yaml");
const PATIENCE_MS = 40_000;

/** Columns worth showing, where an object has them. */
const SHOWN = [
  "window_start",
  "timestamp",
  "sensor_id",
  "location",
  "temperature",
  "anomaly_type",
  "reading_count",
  "anomaly_count",
  "temperature_avg",
  "temperature_max",
  "site",
  "_rowid",
];

interface DemoObject extends ObjectName {
  readonly path: string;
  readonly bucket: string;
  readonly bytes: number;
}

const { run, start, stop } = openPrograms(FOLDER);

await main();

async function main(): Promise<void> {
  rmSync(FOLDER, { recursive: true, force: true });
  mkdirSync(FOLDER);
  writeFileSync(
    CONFIG,
    [
      "sqlite: sensor_data.db",
      "sqlite_table: sensor_readings",
      "node_id: demo-edge",
      "state_dir: state",
      "interval: 1",
      "directory: lake",
      "s3_configuration: { enabled: false, prefix: demo, region: local }",
      "schematized: { enrich: { site: north-hall } }",
      "aggregated: { window: 2 }",
      "",
    ].join("\n"),
  );

  title("A sensor writes 200 readings a second into SQLite");
  run("sensor", ["--db", DATABASE, "--backfill", "2000"]);
  const sensor = start("sensor", ["--db", DATABASE, "--rate", "200", "--anomaly-probability", "0.2"]);
  const uploader = start("uploader", ["--config", CONFIG]);

  for (const type of PIPELINE_TYPES) {
    title(`pipeline-manager set ${type}`);
    console.log(
      run("pipeline-manager", ["--config", CONFIG, "set", type, "--by", "demo", "--reason", "a tour"]),
    );
    await untilObject(type);
  }

  title("The sensor stops, the uploader ships the rest");
  await stop(sensor);
  await stop(uploader);
  run("uploader", ["--config", CONFIG, "--once"]);
  await report();
}

async function report(): Promise<void> {
  const objects = listObjects();
  title("What lies in the buckets");
  const rows = PIPELINE_TYPES.map((type) => {
    const own = objects.filter(({ route }) => route.type === type);
    const sum = (of: (object: DemoObject) => number) => own.reduce((total, object) => total + of(object), 0);
    return [
      own[0]?.bucket ?? "",
      formatCount(own.length),
      formatCount(sum(({ rows }) => rows)),
      formatBytes(sum(({ bytes }) => bytes)),
    ];
  });
  const right = { align: "right" } as const;
  console.log(
    formatTable(
      [
        { heading: "Bucket" },
        { heading: "Objects", ...right },
        { heading: "Rows", ...right },
        { heading: "Bytes", ...right },
      ],
      rows,
    ),
  );
  for (const type of PIPELINE_TYPES) {
    const object = objects.findLast(({ route }) => route.type === type && !route.rejected);
    if (object) showRows(object);
  }
  await verify(objects);
  title("pipeline-manager history");
  console.log(run("pipeline-manager", ["--config", CONFIG, "history"]));
  title("pipeline-manager stats: by the type in effect; in emergency most objects go to the raw bucket");
  console.log(run("pipeline-manager", ["--config", CONFIG, "stats"]));
  console.log(`\nEverything is in ${relative(process.cwd(), FOLDER) || FOLDER}; the next run begins anew.`);
}

/** Every row of SQLite is in exactly one object, or counted by exactly one aggregate. */
async function verify(objects: readonly DemoObject[]): Promise<void> {
  const db = new Database(DATABASE, { readonly: true });
  const inSqlite = db.prepare("SELECT count(*) FROM sensor_readings").pluck().get() as number;
  db.close();
  const rowids = new Set<bigint>();
  let shipped = 0;
  let counted = 0;
  for (const object of objects) {
    const table = readTable(object);
    if (object.route.type === "aggregated") {
      for (const count of table.getChild("reading_count") ?? []) counted += Number(count);
    } else {
      for (const rowid of table.getChild("_rowid") ?? []) rowids.add(rowid as bigint);
      shipped += table.numRows;
    }
  }
  const isComplete = rowids.size === shipped && shipped + counted === inSqlite;
  console.log(
    `\n${formatCount(inSqlite)} rows in SQLite = ${formatCount(shipped)} shipped row by row + ${formatCount(counted)} counted in aggregates: ${isComplete ? "complete, each once" : "NOT COMPLETE"}`,
  );
  if (!isComplete) process.exitCode = 1;
}

function showRows(object: DemoObject): void {
  const table = readTable(object);
  const names = SHOWN.filter((name) => table.getChild(name));
  const rows = [0, 1, 2]
    .filter((row) => row < table.numRows)
    .map((row) => names.map((name) => show(name, table.getChild(name)?.get(row))));
  console.log(`\n${object.bucket}: from an object of ${formatCount(object.rows)} rows`);
  console.log(
    formatTable(
      names.map((heading) => ({ heading })),
      rows,
    ),
  );
}

function show(name: string, value: unknown): string {
  if (value === null || value === undefined) return "null";
  if (name === "window_start" || (name === "timestamp" && typeof value === "number"))
    return new Date(Number(value)).toISOString();
  return typeof value === "number" ? String(Math.round(value * 100) / 100) : String(value);
}

function readTable({ path }: DemoObject) {
  return tableFromIPC(readParquet(readFileSync(path)).intoIPCStream());
}

function listObjects(): DemoObject[] {
  if (!existsSync(LAKE)) return [];
  const files = readdirSync(LAKE, { recursive: true, encoding: "utf8" }).filter((file) =>
    file.endsWith(".parquet"),
  );
  return files.sort().flatMap((file) => {
    const [bucket = "", ...key] = file.split("/");
    const name = parseObjectKey(key.join("/"));
    const path = join(LAKE, file);
    return name ? [{ ...name, bucket, path, bytes: statSync(path).size }] : [];
  });
}

async function untilObject(type: PipelineType): Promise<void> {
  const isThere = () => listObjects().some(({ route }) => route.type === type);
  const seconds = await untilArrived(`${type} object in ${LAKE}`, isThere, PATIENCE_MS);
  console.log(`${type} objects arrived after ${seconds.toFixed(1)} s.`);
}

function title(text: string): void {
  console.log(`\n── ${text} ${"─".repeat(Math.max(4, 76 - text.length))}`);
}
