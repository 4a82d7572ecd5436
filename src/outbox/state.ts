import { randomUUID } from "node:crypto";
import { chmodSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { UploaderError } from "../core/errors.ts";
import type { Connection } from "../sqlite/open.ts";
import { migrateState } from "./schema.ts";

export interface StateFiles {
  readonly folder: string;
  readonly database: string;
  /** The folder with the objects that wait. */
  readonly outbox: string;
}

export function stateFiles(stateDir: string): StateFiles {
  return { folder: stateDir, database: join(stateDir, "state.db"), outbox: join(stateDir, "outbox") };
}

/** state.db, open, with the id that was drawn when it was made. */
export interface State {
  readonly db: Connection;
  readonly files: StateFiles;
  /** Random; the ownership markers name it. */
  readonly id: string;
  close(): void;
}

/**
 * Makes the folders of the state, for this user alone.
 *
 * @throws {UploaderError} STATE_UNWRITABLE
 */
export function createStateFolders(stateDir: string): StateFiles {
  const files = stateFiles(stateDir);
  try {
    mkdirSync(files.outbox, { recursive: true, mode: 0o700 });
    chmodSync(files.folder, 0o700);
  } catch (cause) {
    throw new UploaderError({
      code: "STATE_UNWRITABLE",
      message: `The state folder ${stateDir} cannot be used: ${(cause as Error).message}.`,
      hint: "Give this user the right to write there, or set `state_dir` (STATE_DIR, --state-dir).",
      cause,
    });
  }
  return files;
}

/**
 * Opens the state, or makes it. The caller holds the folder's lock.
 *
 * @throws {UploaderError} STATE_DAMAGED or STATE_UNWRITABLE
 */
export function openState(files: StateFiles, now: number): State {
  let db: Connection | undefined;
  try {
    db = new Database(files.database);
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    chmodSync(files.database, 0o600);
    migrateState(db, files.database);
    return { db, files, id: readIdentity(db, now), close: () => db?.close() };
  } catch (error) {
    db?.close();
    throw describeStateError(error, files.database);
  }
}

/** Opens the state to look at it while an uploader may run; null where there is none yet. */
export function openStateForReading(files: StateFiles): Connection | null {
  try {
    const db = new Database(files.database, { readonly: true, fileMustExist: true });
    db.pragma("schema_version");
    return db;
  } catch (error) {
    if (error instanceof Database.SqliteError && error.code === "SQLITE_CANTOPEN") return null;
    if (error instanceof TypeError) return null;
    throw describeStateError(error, files.database);
  }
}

/** Turns what SQLite says of state.db into what an operator can do. */
export function describeStateError(error: unknown, path: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  const cause = error;
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(error.code))
    return new UploaderError({
      code: "STATE_DAMAGED",
      message: `${path} is damaged: ${error.message}.`,
      hint: "Run `uploader state rebuild`, which restores it from the keys in the bucket.",
      cause,
    });
  return new UploaderError({
    code: "STATE_UNWRITABLE",
    message: `${path} cannot be used: ${error.message} (${error.code}).`,
    hint: "Check the permissions of the state folder and the free space on its disk.",
    cause,
  });
}

function readIdentity(db: Connection, now: number): string {
  return db.transaction(() => {
    const found = db.prepare("SELECT state_id FROM identity").pluck().get() as string | undefined;
    if (found !== undefined) return found;
    const id = randomUUID();
    db.prepare("INSERT INTO identity VALUES (?, ?)").run(id, new Date(now).toISOString());
    return id;
  })();
}
