import Database from "better-sqlite3";
import { onTestFinished } from "vitest";

export type ReadingsDatabase = Database.Database;

export interface Reading {
  readonly timestamp: string;
  readonly sensor_id: string;
  readonly location: string | null;
  /** A text does not fit the column: raw rescues it, schematized rejects it. */
  readonly temperature: number | string | null;
  readonly anomaly_flag: number;
}

/** The columns that nobody changes once a row is written. */
export const READING_COLUMNS = ["timestamp", "sensor_id", "location", "temperature", "anomaly_flag"] as const;

export interface ReadingsOptions {
  readonly table?: string;
  readonly journalMode?: "wal" | "delete";
  /** Left out: a connection like any other. */
  readonly open?: (path: string) => ReadingsDatabase;
}

/** Makes a table of readings, and closes its database when the test ends. */
export function openReadings(path: string, options: ReadingsOptions = {}): ReadingsDatabase {
  const db = (options.open ?? openForTest)(path);
  db.pragma(`journal_mode = ${options.journalMode ?? "wal"}`);
  createReadings(db, options.table);
  return db;
}

/** A connection as another process would have it, closed when the test ends. */
export function openForTest(path: string, options?: Database.Options): ReadingsDatabase {
  const db = new Database(path, options);
  onTestFinished(() => void db.close());
  return db;
}

export function createReadings(db: ReadingsDatabase, table = "readings"): void {
  db.exec(`CREATE TABLE "${table}" (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp TEXT NOT NULL,
    sensor_id TEXT NOT NULL,
    location TEXT,
    temperature REAL,
    anomaly_flag INTEGER NOT NULL,
    synced INTEGER NOT NULL DEFAULT 0
  )`);
}

/** Appends rows in one transaction, whose values follow from their number. */
export function appendReadings(
  db: ReadingsDatabase,
  count: number,
  { table = "readings", ...given }: Partial<Reading> & { readonly table?: string } = {},
): void {
  const insert = db.prepare(
    `INSERT INTO "${table}" (timestamp, sensor_id, location, temperature, anomaly_flag)
     VALUES (@timestamp, @sensor_id, @location, @temperature, @anomaly_flag)`,
  );
  const largest = db.prepare(`SELECT coalesce(max(id), 0) FROM "${table}"`).pluck();
  db.transaction(() => {
    const first = Number(largest.get()) + 1;
    for (let number = first; number < first + count; number++) insert.run({ ...reading(number), ...given });
  }).immediate();
}

/** Every tenth reading is an anomaly, every 97th has a text for its temperature. */
export function reading(number: number): Reading {
  return {
    timestamp: new Date(Date.UTC(2024, 0, 1) + number * 250).toISOString(),
    sensor_id: `sensor-${number % 7}`,
    location: number % 5 === 0 ? null : `hall ${number % 3}`,
    temperature: number % 97 === 0 ? "broken" : 20 + (number % 1000) / 8,
    anomaly_flag: number % 10 === 0 ? 1 : 0,
  };
}
