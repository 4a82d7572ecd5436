import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { UploaderError } from "../core/errors.ts";

export interface StateLock {
  release(): void;
}

/**
 * Takes the state folder for this process. The lock is an exclusive transaction on `lock.db`, which the
 * operating system ends with the process, however it dies; `lock.json` beside it says who holds it.
 *
 * Nothing else in the process may open `lock.db`: closing any descriptor of a file drops the process's
 * POSIX locks on it (https://sqlite.org/howtocorrupt.html, 2.2).
 *
 * @throws {UploaderError} STATE_LOCKED where another process has it
 */
export function acquireStateLock(stateDir: string, now: number): StateLock {
  const note = join(stateDir, "lock.json");
  const db = new Database(join(stateDir, "lock.db"), { timeout: 0 });
  try {
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    if (!(error instanceof Database.SqliteError) || !error.code.startsWith("SQLITE_BUSY")) throw error;
    throw new UploaderError({
      code: "STATE_LOCKED",
      message: `Another uploader works on the state folder ${stateDir}: ${describeHolder(note)}.`,
      hint: "Stop that one, or give this one a folder (`state_dir`) and a node id (`node_id`) of its own.",
    });
  }
  const holder = { pid: process.pid, host: hostname(), since: new Date(now).toISOString() };
  writeFileSync(note, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
  return { release: () => db.close() };
}

function describeHolder(note: string): string {
  try {
    const { pid, host, since } = JSON.parse(readFileSync(note, "utf8"));
    return `process ${pid} on ${host}, since ${since}`;
  } catch {
    return "it has not said who it is";
  }
}
