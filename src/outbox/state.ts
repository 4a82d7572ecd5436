import { randomUUID } from "node:crypto";
import { chmodSync, closeSync, existsSync, fsyncSync, openSync, readdirSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { UploaderError } from "../core/errors.ts";
import { makeFolder } from "../sqlite/make-folder.ts";
import type { Connection } from "../sqlite/open.ts";
import { assertKnownVersion, hasSeal, migrateState } from "./schema.ts";
import { isSealed, keepSeal } from "./seal.ts";

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
  /** Names in the outbox; doubtful-files.ts says of which files. */
  readonly filesInDoubt: Set<string>;
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
    const made = makeFolder(files.outbox, 0o700);
    for (const folder of [files.folder, files.outbox]) chmodSync(folder, 0o700);
    // Else a loss of power may take the folder, and the state in it, from under its parent.
    if (made !== undefined) syncFolders(files.folder, dirname(made));
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
 * Makes sure that a state that is not there never was. What lies in the outbox of one that was lost may be
 * nowhere else, and a new state would take it for garbage.
 *
 * @throws {UploaderError} STATE_DAMAGED
 */
export function assertNotLost(files: StateFiles): void {
  const bytes = statSync(files.database, { throwIfNoEntry: false })?.size ?? 0;
  const waiting = bytes === 0 ? readdirSync(files.outbox).length : 0;
  if (waiting === 0) return;
  throw damaged(files.database, `it is missing or empty, but the outbox beside it holds ${waiting} files`);
}

/** The folder and those above it, up to `top`. */
function syncFolders(folder: string, top: string): void {
  for (let path = folder; path.length >= top.length; path = dirname(path)) {
    const opened = openSync(path, "r");
    try {
      fsyncSync(opened);
    } finally {
      closeSync(opened);
    }
    if (path === dirname(path)) return;
  }
}

/**
 * Opens the state, or makes it. The caller holds the folder's lock.
 *
 * @throws {UploaderError} STATE_DAMAGED or STATE_UNWRITABLE
 */
export function openState(files: StateFiles, now: number): State {
  let db: Connection | undefined;
  try {
    makePrivate(files.database);
    db = new Database(files.database);
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma("foreign_keys = ON");
    assertSound(db, files.database);
    assertKnownVersion(db, files.database);
    assertSealed(db, files.database);
    migrateState(db);
    keepSeal(db);
    return { db, files, id: readIdentity(db, now), filesInDoubt: new Set(), close: () => db?.close() };
  } catch (error) {
    db?.close();
    throw describeStateError(error, files.database);
  }
}

/** Before SQLite opens it: the files beside it, -wal and -shm, are made with its mode. */
function makePrivate(path: string): void {
  closeSync(openSync(path, "a", 0o600));
  for (const suffix of ["", "-wal", "-shm"])
    if (existsSync(`${path}${suffix}`)) chmodSync(`${path}${suffix}`, 0o600);
}

/** Opens the state to look at it while an uploader may run; null where there is none yet. */
export function openStateForReading(files: StateFiles): Connection | null {
  let db: Connection | undefined;
  try {
    db = new Database(files.database, { readonly: true, fileMustExist: true });
    assertSound(db, files.database);
    return db;
  } catch (error) {
    db?.close();
    if (error instanceof Database.SqliteError && error.code === "SQLITE_CANTOPEN") return null;
    if (error instanceof TypeError) return null;
    throw describeStateError(error, files.database);
  }
}

/** Runs what writes to the state. @throws {UploaderError} STATE_DAMAGED or STATE_UNWRITABLE */
export function writeState<Result>(state: State, write: () => Result): Result {
  try {
    return write();
  } catch (error) {
    throw describeStateError(error, state.files.database);
  }
}

/** Turns what the file system says of the outbox into what an operator can do; other errors pass through. */
export function describeFileError(error: unknown, files: StateFiles): unknown {
  if (!(error instanceof Error) || !("syscall" in error)) return error;
  return new UploaderError({
    code: "STATE_UNWRITABLE",
    message: `The outbox ${files.outbox} cannot be used: ${error.message}.`,
    hint: "Check the permissions of the state folder and the free space on its disk, or lower `outbox_max_mb`.",
    cause: error,
  });
}

/** False for errors of state.db to which no other try is an answer; a full disk is none of them. */
export function isPassing({ code, cause }: UploaderError): boolean {
  if (!code.startsWith("STATE_") || !(cause instanceof Database.SqliteError)) return code !== "STATE_DAMAGED";
  return /^SQLITE_(FULL|IOERR|BUSY|READONLY|CANTOPEN|NOMEM)/.test(cause.code);
}

/** Turns what SQLite says of state.db into what an operator can do. */
export function describeStateError(error: unknown, path: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  const cause = error;
  // ERROR: a table or column of ours is missing.
  if (/^SQLITE_(NOTADB|CORRUPT|ERROR)/.test(error.code)) return damaged(path, error.message, cause);
  return new UploaderError({
    code: "STATE_UNWRITABLE",
    message: `${path} cannot be used: ${error.message} (${error.code}).`,
    hint: "Check the permissions of the state folder and the free space on its disk.",
    cause,
  });
}

/** Looks at every page, which is quick for so small a database, before anything is done that relies on it. */
function assertSound(db: Connection, path: string): void {
  const [problem] = db.pragma("quick_check(1)") as { readonly quick_check: string }[];
  if (problem?.quick_check !== "ok") throw damaged(path, problem?.quick_check ?? "it cannot be checked");
}

/** An edit by hand may make rows be lost, or come twice, and leave no other trace. */
function assertSealed(db: Connection, path: string): void {
  if (hasSeal(db) && !isSealed(db)) throw damaged(path, "something else than the uploader has changed it");
}

function damaged(path: string, why: string, cause?: unknown): UploaderError {
  return new UploaderError({
    code: "STATE_DAMAGED",
    message: `${path} is damaged: ${why}.`,
    hint: "Run `uploader state rebuild`, which restores it from the keys in the bucket.",
    cause,
  });
}

function readIdentity(db: Connection, now: number): string {
  return db.transaction(() => {
    const found = db.prepare("SELECT state_id FROM identity").pluck().get() as string | undefined;
    if (found !== undefined) return found;
    const id = randomUUID();
    db.prepare("INSERT INTO identity (state_id, created_at) VALUES (?, ?)").run(
      id,
      new Date(now).toISOString(),
    );
    return id;
  })();
}
