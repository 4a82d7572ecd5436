import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { UploaderError } from "../core/errors.ts";
import { describeStateError } from "./state.ts";

/** Two that start at the same moment may both be refused at once; each then asks again. */
const ASK_FOR_MS = 250;

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
  const path = join(stateDir, "lock.db");
  const db = openLock(path);
  try {
    chmodSync(path, 0o600); // before the journal is made, which takes it over
    db.exec("BEGIN EXCLUSIVE");
  } catch (error) {
    db.close();
    if (!(error instanceof Database.SqliteError) || !error.code.startsWith("SQLITE_BUSY"))
      throw describeStateError(error, path);
    throw new UploaderError({
      code: "STATE_LOCKED",
      message: `Another uploader works on the state folder ${stateDir}: ${describeHolder(note)}.`,
      hint: "Stop that one, or give this one a folder (`state_dir`) and a node id (`node_id`) of its own.",
    });
  }
  const holder = { pid: process.pid, host: hostname(), since: new Date(now).toISOString() };
  try {
    writeFileSync(note, `${JSON.stringify(holder)}\n`, { mode: 0o600 });
    chmodSync(note, 0o600); // one that is there keeps its mode
  } catch {
    // A full disk, most likely: the note is for people, and the lock holds without it.
    rmSync(note, { force: true });
  }
  return { release: () => db.close() };
}

function openLock(path: string): Database.Database {
  try {
    return new Database(path, { timeout: ASK_FOR_MS });
  } catch (error) {
    throw describeStateError(error, path);
  }
}

function describeHolder(note: string): string {
  try {
    const { pid, host, since } = JSON.parse(readFileSync(note, "utf8"));
    return `process ${pid} on ${host}, since ${since}`;
  } catch {
    return "it has not said who it is";
  }
}
