import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { expect } from "vitest";
import type { PipelineType } from "../../src/core/types.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import type { Stored } from "../query/tables.ts";
import { type LakeObject, listObjects, readTable } from "./lake-reader.ts";
import { uploadOnce } from "./run-in-process.ts";
import { decodeRescued, type LakeCell, readStored, storedInLake } from "./stored-values.ts";
import { temporaryFolder } from "./temporary-folder.ts";
import { gapsIn } from "./whole-lake.ts";

/** The columns, and what SQLite makes of text that looks like a whole number in them. */
const COLUMNS = {
  timestamp: { ddl: "TEXT NOT NULL DEFAULT ''", affinity: "text" },
  sensor_id: { ddl: "TEXT", affinity: "text" },
  temperature: { ddl: "REAL", affinity: "real" },
  level: { ddl: "NUMERIC", affinity: "integer" },
  count: { ddl: "INTEGER", affinity: "integer" },
  anomaly_flag: { ddl: "INTEGER", affinity: "integer" },
  note: { ddl: "", affinity: "text" },
} as const;
const NAMES = Object.keys(COLUMNS) as (keyof typeof COLUMNS)[];
/** The names that `readStored` and `readAsStored` go by, in their order. */
export const STORED_NAMES = ["id", ...NAMES];

/** A row on its way in; what is left out is null, or the empty text for the timestamp. */
export type Row = Partial<Record<keyof typeof COLUMNS, Stored>>;

/** Times in every form, and what is none. */
export const timestamp = fc.constantFrom<Stored>(
  "2026-01-01T00:00:00Z",
  "2026-01-01 00:00:59.999999",
  "2026-01-01T01:01:00+01:00",
  "1969-12-31T23:59:59.5Z",
  1_767_225_661n,
  1_767_225_600_500n,
  "yesterday",
  "",
);
export interface Shipped {
  readonly path: string;
  readonly stored: ReadonlyMap<bigint, string[]>;
  readonly objects: readonly LakeObject[];
  /** The rowids of the rows of which the SQL is true. */
  readonly matching: readonly bigint[] | undefined;
}

/** Runs the uploader over databases, each in a folder of its own, that all have one pipeline type. */
export function createRuns(type: PipelineType) {
  const folder = temporaryFolder();
  let run = 0;
  return {
    /** Writes each batch of rows and runs once behind it. */
    async ship(
      batches: readonly (readonly Row[])[],
      maxBatchRows: number,
      configuration: object,
      sql?: string,
    ): Promise<Shipped> {
      const cwd = join(folder, String(run++));
      mkdirSync(cwd);
      const path = join(cwd, "sensor.db");
      const db = new Database(path);
      db.pragma("journal_mode = WAL");
      const ddl = NAMES.map((name) => `"${name}" ${COLUMNS[name].ddl}`);
      db.exec(`CREATE TABLE readings (id INTEGER PRIMARY KEY, ${ddl.join(", ")})`);
      setPipelineType(db, { type, by: "test", now: Date.now() });
      // JSON is YAML.
      const settings = {
        sqlite: "sensor.db",
        s3_configuration: { enabled: false },
        max_batch_size: maxBatchRows,
      };
      writeFileSync(
        join(cwd, "databricks-uploader-config.yaml"),
        JSON.stringify({ ...settings, ...configuration }),
      );
      for (const rows of batches) {
        for (const row of rows) insert(db, row);
        expect(await uploadOnce({ cwd, argv: {} })).toBe(0);
      }
      const stored = readStored(db, "readings", "id", STORED_NAMES);
      const matching =
        sql === undefined
          ? undefined
          : (db
              .prepare(`SELECT id FROM readings WHERE ${sql} ORDER BY id`)
              .safeIntegers()
              .pluck()
              .all() as bigint[]);
      db.close();
      const objects = listObjects(join(cwd, "lake"));
      expect(gapsIn(objects)).toEqual([]);
      return { path, stored, objects, matching };
    },
  };
}

function insert(db: Database.Database, row: Row): void {
  const entries = Object.entries(row);
  const isBytes = (value: Stored) => typeof value === "object" && value !== null && !Buffer.isBuffer(value);
  const marks = entries.map(([, value]) => (isBytes(value) ? "CAST(? AS TEXT)" : "?"));
  const values = entries.map(([, value]) => (isBytes(value) ? (value as { bytes: Buffer }).bytes : value));
  const names = entries.map(([name]) => `"${name}"`);
  db.prepare(`INSERT INTO readings (${names.join(", ")}) VALUES (${marks.join(", ")})`).run(...values);
}

/** The rows of objects, by the names of their columns. */
export async function readCells(objects: readonly LakeObject[]) {
  const { columns, rows } = await readTable(objects);
  return rows.map((row) => {
    const cells: Record<string, unknown> = Object.fromEntries(
      columns.map((column, index) => [column, row[index]]),
    );
    return { rowid: cells._rowid as bigint, cells };
  });
}

/** The rows of objects that have the columns as stored, in the form of `readStored`. */
export async function readAsStored(objects: readonly LakeObject[]) {
  return (await readCells(objects)).map(({ rowid, cells }) => {
    const rescued = decodeRescued(cells._rescued as string | null, "utf8");
    const stored = STORED_NAMES.map((name) => {
      const affinity: LakeCell["affinity"] =
        name === "id" ? "integer" : COLUMNS[name as keyof typeof COLUMNS].affinity;
      return storedInLake({ value: cells[name], rescued: rescued.get(name), affinity, encoding: "utf8" });
    });
    return { rowid, cells: stored, extra: cells };
  });
}
