import { existsSync, readdirSync } from "node:fs";
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
export function listObjects(lake: string): LakeObject[] {
  if (!existsSync(lake)) return [];
  const files = readdirSync(lake, { recursive: true, withFileTypes: true })
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

export type LakeRow = Record<string, unknown>;

/** Runs SQL on DuckDB, an independent reader of what was written; integers come as BigInt. */
export async function duckdb(sql: string): Promise<LakeRow[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await connection.run("SET TimeZone = 'UTC'");
    const reader = await connection.runAndReadAll(sql);
    return reader.getRowObjectsJS() as LakeRow[];
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
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
