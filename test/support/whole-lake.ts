import { createHash } from "node:crypto";
import Database from "better-sqlite3";
import { expect } from "vitest";
import { safeName } from "../../src/core/names.ts";
import { duckdb, type LakeObject, type LakeRow } from "./lake-reader.ts";
import { READING_COLUMNS } from "./readings.ts";

export interface WholeLakeOptions {
  /** The source, which nobody writes to any more. */
  readonly database: string;
  readonly table?: string;
  /** Those to compare: what the sensor does not change later. */
  readonly columns?: readonly string[];
}

/**
 * Holds the objects of one node against the source: sequences without a gap, all parts there, ranges that
 * follow each other, and every row, with its contents, in exactly one object, or, where it was aggregated,
 * in the figures of exactly one.
 */
export async function expectEveryRowOnce(
  objects: readonly LakeObject[],
  { database, table = "readings", columns = READING_COLUMNS }: WholeLakeOptions,
): Promise<void> {
  const ours = objects.filter(({ name }) => name.table === safeName(table));
  expect(gapsIn(ours)).toEqual([]);
  const source = new Database(database, { readonly: true });
  try {
    source.defaultSafeIntegers(true);
    const rowwise = ours.filter(({ name }) => name.route.type !== "aggregated");
    const aggregated = ours.filter(({ name }) => name.route.type === "aggregated");
    const shipped = await readShipped(rowwise, columns);
    const taken = new Set<bigint>();
    const problems: string[] = [];
    const select = columns.map((column) => `"${column}"`).join(", ");
    for (const stored of source.prepare(`SELECT id, ${select} FROM "${table}" ORDER BY id`).iterate()) {
      const { id, ...values } = stored as { id: bigint } & Record<string, unknown>;
      const isAggregated = aggregated.some(({ name: { range } }) => range.first <= id && id <= range.last);
      const found = shipped.get(id) ?? [];
      taken.add(id);
      const expected = isAggregated ? [] : [canonical(Object.values(values))];
      if (JSON.stringify(found) !== JSON.stringify(expected))
        problems.push(`row ${id}: ${JSON.stringify(found)} instead of ${JSON.stringify(expected)}`);
    }
    for (const id of shipped.keys()) if (!taken.has(id)) problems.push(`row ${id} is not of the source`);
    problems.push(...(await wrongFigures(aggregated, source, table)));
    expect(problems.slice(0, 10)).toEqual([]);
    expect(taken.size).toBeGreaterThan(0);
  } finally {
    source.close();
  }
}

/** What the names of the objects alone say is missing or double. */
export function gapsIn(objects: readonly LakeObject[]): string[] {
  const bySequence = new Map<number, LakeObject[]>();
  for (const object of objects) {
    const parts = bySequence.get(object.name.sequence) ?? [];
    bySequence.set(object.name.sequence, [...parts, object]);
  }
  const problems: string[] = [];
  let last: bigint | null = null;
  for (const [index, sequence] of [...bySequence.keys()].sort((a, b) => a - b).entries()) {
    if (sequence !== index + 1) return [...problems, `sequence ${index + 1} is missing`];
    const parts = (bySequence.get(sequence) ?? []).map(({ name }) => name).sort((a, b) => a.part - b.part);
    const [first] = parts;
    if (!first) continue;
    const isWhole = parts.length === first.parts && parts.every(({ part }, at) => part === at + 1);
    if (!isWhole) problems.push(`extraction ${sequence} has parts ${parts.map(({ part }) => part)}`);
    const isOne = parts.every(
      ({ range, generation, parts: count }) =>
        range.first === first.range.first &&
        range.last === first.range.last &&
        generation === 1 &&
        count === first.parts,
    );
    if (!isOne) problems.push(`the parts of extraction ${sequence} disagree`);
    if (last !== null && first.range.first <= last)
      problems.push(`extraction ${sequence} begins within the one before`);
    last = first.range.last;
  }
  return problems;
}

/** The contents of every shipped row, as often as it was shipped, by rowid. */
async function readShipped(
  objects: readonly LakeObject[],
  columns: readonly string[],
): Promise<Map<bigint, string[]>> {
  const shipped = new Map<bigint, string[]>();
  const names = new Map(objects.map((object) => [object.path, object.name]));
  const counts = new Map<string, number>();
  for (const row of await readTogether(objects)) {
    const path = row.filename as string;
    const name = names.get(path);
    const rowid = row._rowid as bigint;
    counts.set(path, (counts.get(path) ?? 0) + 1);
    if (!name || rowid < name.range.first || rowid > name.range.last)
      throw new Error(`row ${rowid} lies outside the range of ${path}`);
    shipped.set(rowid, [...(shipped.get(rowid) ?? []), contents(row, columns)]);
  }
  for (const [path, name] of names) expect([path, counts.get(path) ?? 0]).toEqual([path, name.rows]);
  return shipped;
}

function contents(row: LakeRow, columns: readonly string[]): string {
  const rescued = typeof row._rescued === "string" ? JSON.parse(row._rescued) : {};
  return canonical(columns.map((column) => rescued[column] ?? row[column]));
}

/** One text for equal values, whether SQLite gave them or DuckDB. */
function canonical(values: readonly unknown[]): string {
  const plain = (value: unknown) => {
    if (typeof value === "bigint") return Number(value);
    if (value instanceof Uint8Array) return createHash("sha256").update(value).digest("hex");
    return value;
  };
  return JSON.stringify(values.map(plain));
}

/** Objects of different types have different columns; those of one folder have the same ones. */
async function readTogether(objects: readonly LakeObject[]): Promise<LakeRow[]> {
  const folders = new Map<string, LakeObject[]>();
  for (const object of objects) {
    const { type, rejected } = object.name.route;
    const folder = `${type} ${rejected}`;
    folders.set(folder, [...(folders.get(folder) ?? []), object]);
  }
  const rows: LakeRow[] = [];
  for (const folder of folders.values())
    rows.push(...(await duckdb(`SELECT * FROM read_parquet(${sqlList(folder)}, ${READ_OPTIONS})`)));
  return rows;
}

const READ_OPTIONS = "union_by_name = true, filename = true, hive_partitioning = false";

function sqlList(objects: readonly LakeObject[]): string {
  return `[${objects.map(({ path }) => `'${path.replaceAll("'", "''")}'`).join(", ")}]`;
}

/** Where the figures of an aggregated object are not those of the source's rows in its range. */
async function wrongFigures(
  objects: readonly LakeObject[],
  source: Database.Database,
  table: string,
): Promise<string[]> {
  if (objects.length === 0) return [];
  const figures = await duckdb(
    `SELECT filename, sensor_id, sum(reading_count)::BIGINT AS rows, sum(anomaly_count)::BIGINT AS anomalies,
       sum(temperature_count)::BIGINT AS numbers, sum(temperature_sum) AS total,
       min(temperature_min) AS least, max(temperature_max) AS greatest
     FROM read_parquet(${sqlList(objects)}, ${READ_OPTIONS}) GROUP BY ALL ORDER BY filename, sensor_id`,
  );
  const expected = source.prepare(
    `SELECT sensor_id, count(*) AS rows, sum(anomaly_flag = 1) AS anomalies, count(number) AS numbers,
       total(number) AS total, min(number) AS least, max(number) AS greatest
     FROM (SELECT *, CASE WHEN typeof(temperature) IN ('integer', 'real') THEN temperature END AS number
           FROM "${table}" WHERE id BETWEEN ? AND ?) GROUP BY sensor_id ORDER BY sensor_id`,
  );
  return objects.flatMap(({ path, name: { range } }) => {
    const found = figures.filter(({ filename }) => filename === path);
    const wanted = expected.all(range.first, range.last) as LakeRow[];
    const isSame =
      found.length === wanted.length && wanted.every((row, index) => isSameRow(row, found[index] as LakeRow));
    return isSame ? [] : [`the figures of ${path} are not those of its rows`];
  });
}

function isSameRow(wanted: LakeRow, found: LakeRow): boolean {
  return Object.entries(wanted).every(([name, value]) => {
    const other = found[name];
    if (typeof value !== "number" || typeof other !== "number") return value === other;
    return Math.abs(value - other) <= 1e-9 * Math.max(1, Math.abs(value));
  });
}

/** What stands in the Parquet footers, by path. */
export async function readFooters(
  objects: readonly LakeObject[],
): Promise<Map<string, Readonly<Record<string, string>>>> {
  const footers = new Map<string, Record<string, string>>();
  const rows = await duckdb(
    `SELECT file_name, decode(key) AS key, decode(value) AS value FROM parquet_kv_metadata(${sqlList(objects)})`,
  );
  for (const { file_name, key, value } of rows) {
    const footer = footers.get(file_name as string) ?? {};
    footer[key as string] = value as string;
    footers.set(file_name as string, footer);
  }
  return footers;
}
