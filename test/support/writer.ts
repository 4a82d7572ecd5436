import { existsSync, statSync } from "node:fs";
import Database from "better-sqlite3";

/**
 * A program that stands for a sensor: appends readings at a steady rate until SIGTERM, marks those of the last
 * seconds as synced, and says on standard output, line by line, what it met. `config_id` is the newest
 * revision when the row was written, known for certain since SQLite has one writer at a time.
 *
 * Arguments: the database, rows a second.
 */
const [path = "", rate = "1"] = process.argv.slice(2);
const ROWS_PER_SECOND = Number(rate);
const TICK_MS = 25;
const MARKED_BACK = 6_000;

/** As patient as the sensor in sample-sensor. */
const db = new Database(path, { timeout: 1_000 });
db.pragma("journal_mode = WAL");
db.exec(`CREATE TABLE IF NOT EXISTS readings (
  id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp TEXT NOT NULL, sensor_id TEXT NOT NULL, location TEXT,
  temperature REAL, anomaly_flag INTEGER NOT NULL, synced INTEGER NOT NULL DEFAULT 0, config_id INTEGER
)`);
const insert = db.prepare(
  `INSERT INTO readings (timestamp, sensor_id, location, temperature, anomaly_flag, config_id)
   VALUES (?, ?, ?, ?, ?, ?)`,
);
const mark = db.prepare("UPDATE readings SET synced = synced + 1 WHERE id BETWEEN ? AND ?");
const hasControl = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'pipeline_config'").pluck();
const began = Date.now();
const report = { rows: 0, busy: 0, longestWaitMs: 0, largestWalBytes: 0 };
let isStopping = false;
process.on("SIGTERM", () => {
  isStopping = true;
});

const newestRevision = (): unknown =>
  hasControl.get() === 1 ? db.prepare("SELECT max(id) FROM pipeline_config").pluck().get() : null;

function write(count: number): void {
  const asked = Date.now();
  try {
    db.exec("BEGIN IMMEDIATE");
    report.longestWaitMs = Math.max(report.longestWaitMs, Date.now() - asked);
    const revision = newestRevision();
    // An hour ago, so that the windows of aggregated are over.
    const time = new Date(asked - 3_600_000).toISOString();
    for (let index = 0; index < count; index++) {
      const number = report.rows + index;
      const temperature = number % 97 === 0 ? "broken" : 20 + (number % 1000) / 8;
      insert.run(time, `sensor-${number % 7}`, "hall", temperature, number % 10 === 0 ? 1 : 0, revision);
    }
    mark.run(Math.max(1, report.rows - MARKED_BACK), report.rows - 1);
    db.exec("COMMIT");
    report.rows += count;
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    if (!(error instanceof Database.SqliteError) || !error.code.startsWith("SQLITE_BUSY")) throw error;
    report.busy++;
  }
  if (existsSync(`${path}-wal`))
    report.largestWalBytes = Math.max(report.largestWalBytes, statSync(`${path}-wal`).size);
}

while (!isStopping) {
  const due = Math.floor(((Date.now() - began) * ROWS_PER_SECOND) / 1000) - report.rows;
  if (due > 0) write(due);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
db.close();
