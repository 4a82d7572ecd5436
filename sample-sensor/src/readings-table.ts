import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import Database from "better-sqlite3";
import { UploaderError } from "../../src/core/errors.ts";
import { describeSqliteError, openDatabase } from "../../src/sqlite/open.ts";
import type { Reading } from "./sensor.ts";

export const TABLE = "sensor_readings";

/** The columns in their order. They are a contract with everything downstream. */
const COLUMNS = [
  ["id", "INTEGER PRIMARY KEY AUTOINCREMENT"],
  ["timestamp", "TEXT NOT NULL"],
  ["sensor_id", "TEXT NOT NULL"],
  ["temperature", "REAL"],
  ["humidity", "REAL"],
  ["pressure", "REAL"],
  ["vibration", "REAL"],
  ["voltage", "REAL"],
  ["status_code", "INTEGER"],
  ["anomaly_flag", "INTEGER"],
  ["anomaly_type", "TEXT"],
  ["firmware_version", "TEXT"],
  ["model", "TEXT"],
  ["manufacturer", "TEXT"],
  ["location", "TEXT"],
  ["latitude", "REAL"],
  ["longitude", "REAL"],
  ["original_timezone", "TEXT"],
  ["synced", "INTEGER"],
  ["serial_number", "TEXT"],
  ["manufacture_date", "TEXT"],
  ["deployment_type", "TEXT"],
  ["installation_date", "TEXT"],
  ["height_meters", "REAL"],
  ["orientation_degrees", "REAL"],
  ["instance_id", "TEXT"],
  ["sensor_type", "TEXT"],
] as const;

/** What SQLite waits for a lock at the start, when nothing is in hand yet. */
const OPEN_TIMEOUT_MS = 30_000;
/** What it waits later, short because the process hears no signal meanwhile. */
const WRITE_TIMEOUT_MS = 1_000;

/** `busy`: another process holds the lock; `full`: the disk is. Both pass, and nothing was written. */
export type InsertResult = "written" | "busy" | "full";

/** The table that the sensors write, in a database of its own connection. */
export interface ReadingsTable {
  /** Inserts all readings in one transaction, or none. */
  insert(readings: readonly Reading[]): InsertResult;
  /** Deletes at most `limit` rows older than a time, and says how many; 0 while the database is busy. */
  deleteOlderThan(timeMs: number, limit: number): number;
  /** Moves the WAL into the database; false where a reader or writer was in the way. */
  checkpoint(): boolean;
  close(): void;
}

/**
 * Opens the database, or makes it; rows that are there stay, and ids go on after them.
 *
 * @throws {UploaderError} where the file cannot be used or holds another table of this name
 */
export function openReadingsTable(path: string): ReadingsTable {
  makeFolder(dirname(path));
  const db = openDatabase(path, { mode: "create", busyTimeoutMs: OPEN_TIMEOUT_MS });
  try {
    return prepareTable(db, path);
  } catch (error) {
    db.close();
    throw describeSqliteError(error, path);
  }
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (cause) {
    throw new UploaderError({
      code: "SOURCE_UNREADABLE",
      message: `The folder ${folder} for the database cannot be made: ${(cause as Error).message}.`,
      hint: "Name another file with --db, or correct the permissions.",
      cause,
    });
  }
}

function prepareTable(db: Database.Database, path: string): ReadingsTable {
  db.pragma("journal_mode = WAL");
  // NORMAL would let a power cut take back commits whose ids a reader has seen, and give those ids again.
  db.pragma("synchronous = FULL");
  createTable(db, path);
  db.pragma(`busy_timeout = ${WRITE_TIMEOUT_MS}`);

  const written = COLUMNS.slice(1).map(([name]) => name);
  const insertRow = db.prepare(
    `INSERT INTO ${TABLE} (${written.join(", ")}) VALUES (${written.map(() => "?").join(", ")})`,
  );
  const insertAll = db.transaction((readings: readonly Reading[]) => {
    for (const reading of readings) insertRow.run(toRow(reading));
  });
  const deleteRows = db.prepare(
    `DELETE FROM ${TABLE} WHERE id IN (SELECT id FROM ${TABLE} WHERE timestamp < ? LIMIT ?)`,
  );

  return {
    insert(readings) {
      try {
        insertAll.immediate(readings);
        return "written";
      } catch (error) {
        if (hasCode(error, "SQLITE_BUSY")) return "busy";
        if (hasCode(error, "SQLITE_FULL")) return "full";
        throw describeSqliteError(error, path);
      }
    },
    deleteOlderThan(timeMs, limit) {
      try {
        return deleteRows.run(new Date(timeMs).toISOString(), limit).changes;
      } catch (error) {
        if (hasCode(error, "SQLITE_BUSY")) return 0;
        throw describeSqliteError(error, path);
      }
    },
    checkpoint() {
      try {
        const [result] = db.pragma("wal_checkpoint(TRUNCATE)") as [{ busy: number }];
        return result.busy === 0;
      } catch (error) {
        if (hasCode(error, "SQLITE_BUSY") || hasCode(error, "SQLITE_FULL")) return false;
        throw describeSqliteError(error, path);
      }
    },
    close: () => db.close(),
  };
}

function createTable(db: Database.Database, path: string): void {
  const definitions = COLUMNS.map(([name, type]) => `${name} ${type}`).join(",\n  ");
  db.exec(`CREATE TABLE IF NOT EXISTS ${TABLE} (\n  ${definitions}\n)`);
  const present = db.prepare("SELECT name FROM pragma_table_info(?)").pluck().all(TABLE);
  const missing = COLUMNS.map(([name]) => name).filter((name) => !present.includes(name));
  if (missing.length > 0)
    throw new UploaderError({
      code: "SOURCE_UNSUPPORTED",
      message: `${path} holds a table ${TABLE} that lacks the columns ${missing.join(", ")}.`,
      hint: "Name another file with --db, or rename that table.",
    });
  db.exec(`CREATE INDEX IF NOT EXISTS ${TABLE}_timestamp ON ${TABLE} (timestamp)`);
}

/** In the order of COLUMNS, without the id. */
function toRow({ timeMs, identity, values, statusCode, anomalyType }: Reading): unknown[] {
  return [
    new Date(timeMs).toISOString(),
    identity.sensorId,
    values.temperature,
    values.humidity,
    values.pressure,
    values.vibration,
    values.voltage,
    statusCode,
    anomalyType === null ? 0 : 1,
    anomalyType,
    identity.firmwareVersion,
    identity.model,
    identity.manufacturer,
    identity.location,
    identity.latitude,
    identity.longitude,
    identity.timezone,
    0,
    identity.serialNumber,
    identity.manufactureDate,
    identity.deploymentType,
    identity.installationDate,
    identity.heightMeters,
    identity.orientationDegrees,
    identity.instanceId,
    identity.sensorType,
  ];
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Database.SqliteError && error.code.startsWith(code);
}
