import Database from "better-sqlite3";
import { PIPELINE_TYPES, type PipelineType } from "../../src/core/types.ts";
import { type ComparedTable, compareContents } from "../../test/support/lake-contents.ts";
import { type LakeObject, listObjects } from "../../test/support/lake-reader.ts";
import { sequencesOf } from "../../test/support/lake-sequences.ts";
import { affinityOf, readStored } from "../../test/support/stored-values.ts";

const TABLE = "sensor_readings";

export interface Shipped {
  readonly node: string;
  /** Of the aggregates. */
  readonly windowSeconds: number;
  /** Other nodes that ship to the same buckets; their objects are left aside. Default: none. */
  readonly neighbours?: readonly string[];
  /** Those whose buckets must not be empty. Default: all. */
  readonly types?: readonly PipelineType[];
}

export interface Comparison {
  /** In SQLite. */
  readonly rows: number;
  /** Of them, found once by their contents. */
  readonly found: number;
  readonly objects: number;
  readonly objectsByType: Readonly<Record<PipelineType, number>>;
  /** What is missing, double or different; empty: nothing. */
  readonly violations: readonly string[];
}

/**
 * Holds all rows of the sensor in a database against the objects in a folder of buckets, by contents; in every bucket
 * there has to be one, and none of another node than the neighbours.
 */
export async function compareSensor(database: string, lake: string, shipped: Shipped): Promise<Comparison> {
  const { node, neighbours = [], types = PIPELINE_TYPES } = shipped;
  const objects = listObjects(lake).filter(({ name }) => !neighbours.includes(name.node));
  const { table, rows } = readSource(database, shipped);
  const found = await compareContents(objects, table, [...rows.keys()].at(-1) ?? null);
  const objectsByType = countByType(objects);
  const empty = types.filter((type) => objectsByType[type] === 0);
  const strangers = objects.filter(({ name }) => name.node !== node || name.table !== TABLE);
  return {
    rows: rows.size,
    found: found.rows,
    objects: objects.length,
    objectsByType,
    violations: [
      ...empty.map((type) => `the ${type} bucket is empty`),
      ...strangers.map(({ key }) => `${key} is of another node or table`),
      ...sequencesOf(objects, undefined),
      ...found.violations,
    ],
  };
}

/** "raw 3, schematized 2, …" */
export function formatByType({ objectsByType }: Comparison): string {
  return PIPELINE_TYPES.map((type) => `${type} ${objectsByType[type]}`).join(", ");
}

function countByType(objects: readonly LakeObject[]): Record<PipelineType, number> {
  const counts = Object.fromEntries(PIPELINE_TYPES.map((type) => [type, 0])) as Record<PipelineType, number>;
  for (const { name } of objects) counts[name.route.type]++;
  return counts;
}

function readSource(path: string, { node, windowSeconds }: Shipped) {
  const db = new Database(path, { readonly: true });
  const memory = new Database(":memory:");
  try {
    const declared = db.pragma(`table_info(${TABLE})`) as { readonly name: string; readonly type: string }[];
    // `synced` is the sensor's own, and may change after a row is shipped.
    const compared = declared.filter(({ name }) => name !== "id" && name !== "synced");
    const columns = compared.map(({ name }) => name);
    const stored = readStored(db, TABLE, "id", columns);
    const table: ComparedTable = {
      node,
      columns,
      affinities: compared.map(({ type }) => affinityOf(memory, type)),
      timestampColumn: "timestamp",
      aggregated: {
        windowSeconds,
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
