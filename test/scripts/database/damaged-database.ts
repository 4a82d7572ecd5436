import { closeSync, openSync, writeSync } from "node:fs";
import Database from "better-sqlite3";
import { appendReadings, createReadings } from "../../support/readings.ts";

export interface Damage {
  /** Of the leaf pages of `readings`, in the order of their rowids: which to overwrite; negative: from the end. */
  readonly leaves?: readonly number[];
  /** Whether the first page, with the schema, goes too. */
  readonly firstPage?: boolean;
}

/** Makes a database of readings and of notes, closes it, and overwrites pages of its file. */
export function makeDamaged(path: string, rows: number, { leaves = [], firstPage = false }: Damage): void {
  const db = new Database(path);
  db.pragma("journal_mode = WAL");
  createReadings(db);
  db.exec("CREATE INDEX by_sensor ON readings (sensor_id)");
  db.exec(
    "CREATE TABLE notes (text TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO notes VALUES ('calibrated')",
  );
  appendReadings(db, rows);
  // Deleted from the end, so that the sequence is further on than the largest rowid.
  db.exec(`DELETE FROM readings WHERE id > ${rows - 5}`);
  db.pragma("wal_checkpoint(TRUNCATE)");
  const pages = db
    .prepare("SELECT pageno FROM dbstat WHERE name = 'readings' AND pagetype = 'leaf' ORDER BY path")
    .pluck()
    .all() as number[];
  const pageBytes = db.pragma("page_size", { simple: true }) as number;
  db.close();
  for (const leaf of leaves) overwrite(path, ((pages.at(leaf) ?? 0) - 1) * pageBytes, pageBytes);
  if (firstPage) overwrite(path, 0, pageBytes);
}

function overwrite(path: string, at: number, bytes: number): void {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(bytes, 0xff), 0, bytes, at);
  closeSync(file);
}
