import Database from "better-sqlite3";
import { PIPELINE_TYPES } from "../src/core/types.ts";
import { type ComparedTable, compareContents } from "../test/support/lake-contents.ts";
import { type LakeObject, listObjects } from "../test/support/lake-reader.ts";
import { sequencesOf } from "../test/support/lake-sequences.ts";
import { affinityOf, readStored } from "../test/support/stored-values.ts";

/**
 * `compare-containers.ts DATABASE BUCKETS`: for scripts/test-containers.sh, holds all rows of the sensor in a database
 * against the objects in a folder of buckets, by contents; in every bucket there has to be one. Its last line says what
 * was compared; it ends with 1 where something is missing, double or different.
 */
const TABLE = "sensor_readings";
const NODE = "edge-1";
/** As deploy/local-s3.yaml has it. */
const WINDOW_SECONDS = 10;
const SHOWN = 20;

const [database, buckets] = process.argv.slice(2);
if (database === undefined || buckets === undefined) {
  process.stderr.write("Usage: compare-containers.ts DATABASE BUCKETS\n");
  process.exit(2);
}

const objects = listObjects(buckets);
const { table, rows } = readSource(database);
const found = await compareContents(objects, table, lastOf(rows));
const empty = PIPELINE_TYPES.filter((type) => ofType(type).length === 0);
const violations = [
  ...empty.map((type) => `the ${type} bucket is empty`),
  ...strangers().map(({ key }) => `${key} is of another node or table`),
  ...sequencesOf(objects, undefined),
  ...found.violations,
];

for (const violation of violations.slice(0, SHOWN)) console.log(violation);
const counts = PIPELINE_TYPES.map((type) => `${type} ${ofType(type).length}`).join(", ");
console.log(
  `containers: ${rows.size} rows in SQLite, ${found.rows} found by content in ${objects.length} objects (${counts}): ${violations.length === 0 ? "each exactly once" : `${violations.length} violations`}`,
);
process.exit(violations.length === 0 ? 0 : 1);

function ofType(type: string): LakeObject[] {
  return objects.filter(({ bucket, name }) => name.route.type === type && bucket.includes(`-${type}-`));
}

function strangers(): LakeObject[] {
  return objects.filter(({ name }) => name.node !== NODE || name.table !== TABLE);
}

function lastOf(stored: ReadonlyMap<bigint, unknown>): bigint | null {
  return [...stored.keys()].at(-1) ?? null;
}

function readSource(path: string) {
  const db = new Database(path, { readonly: true });
  const memory = new Database(":memory:");
  try {
    const declared = db.pragma(`table_info(${TABLE})`) as { readonly name: string; readonly type: string }[];
    // `synced` is the sensor's own, and may change after a row is shipped.
    const compared = declared.filter(({ name }) => name !== "id" && name !== "synced");
    const columns = compared.map(({ name }) => name);
    const stored = readStored(db, TABLE, "id", columns);
    const table: ComparedTable = {
      node: NODE,
      columns,
      affinities: compared.map(({ type }) => affinityOf(memory, type)),
      timestampColumn: "timestamp",
      aggregated: {
        windowSeconds: WINDOW_SECONDS,
        groups: ["sensor_id", "location"],
        metrics: ["temperature", "humidity", "pressure", "vibration", "voltage"],
        anomalyFlag: "anomaly_flag",
      },
      incarnations: [
        { sinceGeneration: 1, rows: new Map([...stored].map(([rowid, values]) => [rowid, [values]])) },
      ],
    };
    return { table, rows: stored };
  } finally {
    memory.close();
    db.close();
  }
}
