import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { SENSOR_METRICS } from "./contestants.ts";
import { PEERS } from "./places.ts";
import type { TestTable } from "./test-tables.ts";

type Source = Pick<TestTable, "database" | "table">;

/** Large enough for sums of doubles in any order, far too small for a missing value. */
const SUM_TOLERANCE = 1e-9;

/** Every Parquet file below a folder. */
export function parquetFiles(folder: string): { readonly path: string; readonly bytes: number }[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".parquet"))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({ path, bytes: statSync(path).size }));
}

/** Reads files and source with DuckDB, and compares. Rows of the source must be all there by then. */
export interface ReadBack {
  /**
   * @param files Parquet with at least the columns of the source
   * @returns the number of rows
   * @throws where types, count or content are not the source's
   */
  expectRows(source: Source, files: readonly string[]): number;
  /**
   * @param files Parquet with figures by window and group, which may be partial
   * @returns the number of windows and groups, merged
   * @throws where merged figures are not those of one GROUP BY over the source
   */
  expectWindows(source: Source, files: readonly string[]): number;
}

/** @param python the interpreter of bench/.venv */
export function createReadBack(python: string): ReadBack {
  const query = (sql: string, ...database: readonly string[]): unknown[][] =>
    JSON.parse(
      execFileSync(python, [join(PEERS, "query_duckdb.py"), sql, ...database], { encoding: "utf8" }),
    );
  /** Kept beside the database, whose rows do not change any more. */
  const ofSource = (source: Source, name: string, sql: string): unknown[] => {
    const kept = `${source.database}.${name}.json`;
    if (!existsSync(kept)) writeFileSync(kept, JSON.stringify(query(sql, source.database)[0]));
    return JSON.parse(readFileSync(kept, "utf8"));
  };

  return {
    expectRows(source, files) {
      const columns = sourceColumns(source);
      const written = parquet(files);
      const types = query(`DESCRIBE SELECT ${columns.map(({ name }) => quote(name)).join(", ")} ${written}`);
      for (const [index, { name, type }] of columns.entries())
        expectEqual(`the type of ${name}`, types[index]?.[1], type);
      const expected = ofSource(source, "rows", rowsSql(columns, `FROM source.${quote(source.table)}`));
      const [found = []] = query(rowsSql(columns, written));
      expectEqual("the number of rows", found[0], expected[0]);
      expectEqual("the checksum of the rows", found[1], expected[1]);
      return Number(found[0]);
    },
    expectWindows(source, files) {
      const expected = ofSource(source, "windows", mergedSql(sourceWindowsSql(source)));
      const [found = []] = query(mergedSql(`SELECT * ${parquet(files)}`));
      expectEqual("the number of windows", found[0], expected[0]);
      expectEqual("the checksum of windows, groups, counts and limits", found[1], expected[1]);
      for (let index = 2; index < expected.length; index++)
        expectClose(Number(found[index]), Number(expected[index]));
      return Number(found[0]);
    },
  };
}

interface SourceColumn {
  readonly name: string;
  /** DuckDB's. */
  readonly type: string;
}

const DUCKDB_TYPES: Readonly<Record<string, string>> = { INTEGER: "BIGINT", REAL: "DOUBLE", TEXT: "VARCHAR" };

function sourceColumns({ database, table }: Source): SourceColumn[] {
  const db = new Database(database, { readonly: true });
  const columns = db.prepare("SELECT name, type FROM pragma_table_info(?)").all(table) as SourceColumn[];
  db.close();
  return columns.map(({ name, type }) => ({ name, type: DUCKDB_TYPES[type] ?? type }));
}

/** Count and a checksum that does not depend on the order of rows. */
function rowsSql(columns: readonly SourceColumn[], from: string): string {
  return `SELECT count(*), sum(hash(${columns.map(({ name }) => quote(name)).join(", ")})) ${from}`;
}

function sourceWindowsSql({ table }: Source): string {
  const figures = SENSOR_METRICS.map(
    (metric) =>
      `count(${metric}) AS ${metric}_count, sum(${metric}) AS ${metric}_sum, min(${metric}) AS ${metric}_min,
       max(${metric}) AS ${metric}_max, sum(${metric} * ${metric}) AS ${metric}_sum_sq`,
  );
  return `SELECT date_trunc('minute', CAST(timestamp AS TIMESTAMP)) AS window_start, sensor_id, location,
    count(*) AS reading_count, count(*) FILTER (anomaly_flag <> 0) AS anomaly_count, ${figures.join(", ")}
    FROM source.${quote(table)} GROUP BY ALL`;
}

/** Count, a checksum of what is exact, and the totals of what is not. */
function mergedSql(partial: string): string {
  const merged = SENSOR_METRICS.map(
    (metric) =>
      `sum(${metric}_count) AS ${metric}_count, min(${metric}_min) AS ${metric}_min,
       max(${metric}_max) AS ${metric}_max, sum(${metric}_sum) AS ${metric}_sum,
       sum(${metric}_sum_sq) AS ${metric}_sum_sq`,
  );
  const exact = SENSOR_METRICS.flatMap((metric) =>
    ["count", "min", "max"].map((figure) => `${metric}_${figure}`),
  );
  const totals = SENSOR_METRICS.flatMap((metric) => [`sum(${metric}_sum)`, `sum(${metric}_sum_sq)`]);
  return `SELECT count(*), sum(hash(start, sensor_id, location, readings, anomalies, ${exact.join(", ")})),
      ${totals.join(", ")}
    FROM (SELECT epoch_us(window_start) AS start, sensor_id, location, sum(reading_count) AS readings,
      sum(anomaly_count) AS anomalies, ${merged.join(", ")} FROM (${partial}) GROUP BY ALL)`;
}

function parquet(files: readonly string[]): string {
  if (files.length === 0) throw new Error("no Parquet file was written");
  const paths = files.map((path) => `'${path.replaceAll("'", "''")}'`);
  return `FROM read_parquet([${paths.join(", ")}], hive_partitioning = false)`;
}

function quote(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

function expectEqual(what: string, found: unknown, expected: unknown): void {
  if (String(found) !== String(expected)) throw new Error(`${what} is ${found} instead of ${expected}`);
}

function expectClose(found: number, expected: number): void {
  if (!(Math.abs(found - expected) <= SUM_TOLERANCE * Math.abs(expected)))
    throw new Error(`a total of sums is ${found} instead of ${expected}`);
}
