import { expect } from "vitest";
import { duckdb, type LakeObject, type LakeRow } from "../support/lake-reader.ts";
import { READING_COLUMNS, type ReadingsDatabase } from "../support/readings.ts";

const COLUMNS = READING_COLUMNS.map((column) => `"${column}"`).join(", ");

/**
 * Every row of the source is in the lake once: with its contents in one object, or, where it was aggregated,
 * in the figures of one. Sequences and ranges are not looked at, since a lost outbox leaves gaps in them.
 */
export async function expectEveryRowOnce(
  objects: readonly LakeObject[],
  db: ReadingsDatabase,
): Promise<void> {
  const delivered = await readDelivered(objects);
  const rowids = delivered.map(({ rowid }) => rowid);
  expect(repeated(rowids)).toEqual([]);
  expect(repeated(delivered.map(({ generation, rowid }) => `${generation} ${rowid}`))).toEqual([]);

  const stored = readSource(db);
  const contents = new Map(stored.map(({ rowid, ...row }) => [rowid, row]));
  expect(rowids.filter((rowid) => !contents.has(rowid))).toEqual([]);
  const wrong = delivered.filter(
    ({ rowid, generation: _, ...row }) => JSON.stringify(row) !== JSON.stringify(contents.get(rowid)),
  );
  expect(wrong).toEqual([]);

  const inObjects = new Set(rowids);
  const others = stored.filter(({ rowid }) => !inObjects.has(rowid));
  expect(await readFigures(objects)).toEqual(figuresOf(others));
}

export interface DeliveredRow extends Readonly<Record<string, unknown>> {
  readonly rowid: number;
  readonly generation: number;
}

/** The rows of all objects that hold rows, rescued values in their places. */
export async function readDelivered(objects: readonly LakeObject[]): Promise<DeliveredRow[]> {
  const rows: DeliveredRow[] = [];
  for (const folder of byFolder(objects.filter(({ name }) => name.route.type !== "aggregated")))
    for (const row of await duckdb(`SELECT * FROM ${parquet(folder)}`)) {
      const rescued = typeof row._rescued === "string" ? JSON.parse(row._rescued) : {};
      const values = READING_COLUMNS.map((column) => [column, plain(rescued[column] ?? row[column])]);
      expect(row._node_id).toBe("press-7");
      rows.push({
        rowid: Number(row._rowid),
        generation: Number(row._generation),
        ...Object.fromEntries(values),
      });
    }
  return rows;
}

/** For each window and sensor: how many rows, how many temperatures, and what these come to. */
type Figures = Readonly<Record<string, readonly [rows: number, temperatures: number, sum: number]>>;

async function readFigures(objects: readonly LakeObject[]): Promise<Figures> {
  const aggregated = objects.filter(({ name }) => name.route.type === "aggregated");
  if (aggregated.length === 0) return {};
  const rows = await duckdb(
    `SELECT window_start, sensor_id, sum(reading_count)::INT AS rows, sum(temperature_count)::INT AS temperatures,
       sum(temperature_sum) AS sum FROM ${parquet(aggregated)} GROUP BY ALL ORDER BY ALL`,
  );
  return Object.fromEntries(
    rows.map((row) => [`${plain(row.window_start)} ${row.sensor_id}`, [row.rows, row.temperatures, row.sum]]),
  ) as Figures;
}

function figuresOf(rows: readonly SourceRow[]): Figures {
  const figures: Record<string, [number, number, number]> = {};
  for (const { timestamp, sensor_id, temperature } of rows) {
    const window = new Date(Math.floor(Date.parse(timestamp as string) / 60_000) * 60_000).toISOString();
    const figure = figures[`${window} ${sensor_id}`] ?? [0, 0, 0];
    figures[`${window} ${sensor_id}`] = figure;
    figure[0]++;
    if (typeof temperature !== "number") continue;
    figure[1]++;
    figure[2] += temperature; // eighths, which add up exactly
  }
  return figures;
}

export interface SourceRow extends Readonly<Record<string, unknown>> {
  readonly rowid: number;
}

/** The rows that the source has now. */
export function readSource(db: ReadingsDatabase): SourceRow[] {
  return db.prepare(`SELECT id AS rowid, ${COLUMNS} FROM readings ORDER BY id`).all() as SourceRow[];
}

/** Objects of one folder have the same columns. */
function byFolder(objects: readonly LakeObject[]): LakeObject[][] {
  const folders = new Map<string, LakeObject[]>();
  for (const object of objects) {
    const { type, rejected } = object.name.route;
    folders.set(`${type} ${rejected}`, [...(folders.get(`${type} ${rejected}`) ?? []), object]);
  }
  return [...folders.values()];
}

function parquet(objects: readonly LakeObject[]): string {
  const paths = objects.map(({ path }) => `'${path.replaceAll("'", "''")}'`);
  return `read_parquet([${paths.join(", ")}], union_by_name = true, hive_partitioning = false)`;
}

function plain(value: LakeRow[string]): unknown {
  if (value instanceof Date) return value.toISOString();
  return typeof value === "bigint" ? Number(value) : value;
}

function repeated<Value>(values: readonly Value[]): Value[] {
  const seen = new Set<Value>();
  return values.filter((value) => seen.size === seen.add(value).size);
}
