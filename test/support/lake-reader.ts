import { readdirSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { type ObjectName, parseObjectKey } from "../../src/core/object-key.ts";

/** An object in a folder that holds buckets, as the directory sink and versitygw lay them out. */
export interface LakeObject {
  readonly bucket: string;
  readonly key: string;
  readonly path: string;
  readonly name: ObjectName;
}

/** Every Parquet object below the folder, sorted by key; a file with another name fails the test. */
export function listObjects(lake: string, buckets = foldersIn(lake)): LakeObject[] {
  const files = buckets
    .flatMap((bucket) => readdirSync(join(lake, bucket), { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile() && entry.name.endsWith(".parquet"))
    .map((entry) => join(entry.parentPath, entry.name));
  return files
    .map((path) => {
      const [bucket = "", ...rest] = relative(lake, path).split(sep);
      const key = rest.join("/");
      const name = parseObjectKey(key);
      if (!name) throw new Error(`no key of ours: ${key}`);
      return { bucket, key, path, name };
    })
    .sort((a, b) => (a.key < b.key ? -1 : 1));
}

/** Nothing is in a file that stands in the place of a folder. */
function foldersIn(folder: string): string[] {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

export type LakeRow = Record<string, unknown>;

/** Runs SQL on DuckDB, an independent reader of what was written; integers come as BigInt. */
export async function duckdb(sql: string): Promise<LakeRow[]> {
  const { columns, rows } = await duckdbTable(sql);
  return rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])));
}

/** The rows of some objects, in the order of the objects and of their rows. */
export async function readRows(objects: readonly { readonly path: string }[]): Promise<LakeRow[]> {
  const rows: LakeRow[] = [];
  for (const { path } of objects)
    rows.push(
      ...(await duckdb(
        `SELECT * FROM read_parquet('${path.replaceAll("'", "''")}', hive_partitioning = false)`,
      )),
    );
  return rows;
}

/** The files of some objects, as SQL on DuckDB names them. */
export function pathList(objects: readonly { readonly path: string }[]): string {
  return `[${objects.map(({ path }) => `'${path.replaceAll("'", "''")}'`).join(", ")}]`;
}

export interface LakeTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly unknown[])[];
}

/**
 * The rows of some objects with the same columns, read in one query, in the order of the objects and of their
 * rows; the last column, `filename`, is the path of the object that a row is in.
 */
export async function readTable(objects: readonly { readonly path: string }[]): Promise<LakeTable> {
  if (objects.length === 0) return { columns: [], rows: [] };
  const all = `SELECT * FROM read_parquet(${pathList(objects)}, hive_partitioning = false, filename = true)`;
  const described = await duckdb(`DESCRIBE ${all}`);
  const isText = described.map((column) => column.column_type === "VARCHAR");
  const columns = described.map((column) => column.column_name as string);
  // DuckDB's client takes a byte order mark at the beginning of a text away.
  const selected = columns
    .map((column) => `"${column.replaceAll('"', '""')}"`)
    .map((column, index) => (isText[index] ? `'|' || ${column}` : column));
  const { rows } = await duckdbTable(`SELECT ${selected.join(", ")} FROM (${all})`);
  return {
    columns,
    rows: rows.map((row) =>
      row.map((cell, index) => (isText[index] && cell !== null ? (cell as string).slice(1) : cell)),
    ),
  };
}

/** One for each test file, since it takes DuckDB longer to begin than to read. */
let instance: Promise<DuckDBInstance> | undefined;

/** The result of SQL on DuckDB with its columns in their order. */
export async function duckdbTable(sql: string): Promise<LakeTable> {
  // Tests write other bytes into files that were read before.
  instance ??= DuckDBInstance.create(":memory:", { enable_external_file_cache: "false" });
  const connection = await (await instance).connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const reader = await connection.runAndReadAll(sql);
    return { columns: reader.columnNames(), rows: reader.getRowsJS() };
  } finally {
    connection.closeSync();
  }
}
