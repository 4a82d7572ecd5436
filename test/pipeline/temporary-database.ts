import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { type Connection, type OpenOptions, openDatabase } from "../../src/sqlite/open.ts";

/** The path of a database that does not exist yet, in a folder that goes when the test ends. */
export function temporaryDatabasePath(): string {
  const folder = mkdtempSync(join(tmpdir(), "pipeline-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "sensor_data.db");
}

/** A connection that is closed when the test ends; WAL, as the sensor's is. */
export function openTemporary(
  path = temporaryDatabasePath(),
  options: OpenOptions = { mode: "create" },
): Connection {
  const db = openDatabase(path, options);
  onTestFinished(() => void db.close());
  if (options.mode === "create") db.pragma("journal_mode = WAL");
  return db;
}
