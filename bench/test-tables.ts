import { execFileSync } from "node:child_process";
import { createReadStream, existsSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { buildGeneratedTable } from "./generated-table.ts";
import { builtProgram, DATA, makeFolder, ROOT } from "./places.ts";

/** A table to ship; what is in it follows from its name. */
export interface TestTable {
  /** For people. */
  readonly label: string;
  readonly database: string;
  readonly table: string;
  readonly rows: number;
  /** `sensor`: the columns of sample-sensor; else so many, generated. */
  readonly shape: "sensor" | number;
}

const QUICK_DIVISOR = 20;

/**
 * The readings of sample-sensor.
 *
 * @param quick a twentieth of the rows
 */
export function sensorTable(rows: number, quick: boolean): TestTable {
  return describe("sensor", "sensor_readings", rows, quick);
}

/** Seeded rows of so many columns. */
export function generatedTable(columns: number, rows: number, quick: boolean): TestTable {
  return describe(columns, "readings", rows, quick);
}

/** Builds a table where it is missing, and reads its file once, so that no run pays for the disk. */
export async function prepareTable(table: TestTable, say: (text: string) => void): Promise<void> {
  if (!existsSync(table.database)) {
    say(`builds ${table.label}`);
    makeFolder(DATA);
    const unfinished = `${table.database}.unfinished`;
    for (const suffix of ["", "-wal", "-shm"]) rmSync(unfinished + suffix, { force: true });
    if (table.shape === "sensor") buildSensorTable(unfinished, table.rows);
    else buildGeneratedTable(unfinished, table.table, table.shape, table.rows);
    if (existsSync(`${unfinished}-wal`)) throw new Error(`${unfinished} was left with a write-ahead log`);
    renameSync(unfinished, table.database);
  }
  for await (const _ of createReadStream(table.database, { highWaterMark: 1024 * 1024 }));
}

function describe(shape: TestTable["shape"], table: string, fullRows: number, quick: boolean): TestTable {
  const rows = quick ? fullRows / QUICK_DIVISOR : fullRows;
  const name = shape === "sensor" ? "sensor" : `columns-${shape}`;
  const what = shape === "sensor" ? "the sensor's columns" : `${shape} columns`;
  return {
    label: `${rows.toLocaleString("en-US")} rows × ${what}`,
    database: join(DATA, `${name}-${rows}.db`),
    table,
    rows,
    shape,
  };
}

function buildSensorTable(path: string, rows: number): void {
  const settings = ["--config", join(ROOT, "sample-sensor", "sensor-config.yaml"), "--db", path];
  const repeatable = ["--until", "2025-06-01T00:00:00Z", "--seed", "1"];
  const args = [builtProgram("sensor"), ...settings, "--backfill", String(rows), ...repeatable];
  execFileSync(process.execPath, args, { cwd: DATA, stdio: ["ignore", "ignore", "inherit"] });
}
