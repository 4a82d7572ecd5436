import { existsSync, statSync } from "node:fs";
import Database from "better-sqlite3";
import { UploaderError } from "../core/errors.ts";

export type Connection = Database.Database;

/** Milliseconds that SQLite itself waits for another process's lock. */
const BUSY_TIMEOUT_MS = 5_000;

/** The first release with the fix for the WAL-reset corruption: https://sqlite.org/wal.html#walresetbug */
const MINIMUM_SQLITE = [3, 51, 3] as const;

export interface OpenOptions {
  /** `read` never writes to the file; `write` needs the file to exist; `create` makes it. */
  readonly mode: "read" | "write" | "create";
  readonly busyTimeoutMs?: number;
}

/**
 * Opens a SQLite database and looks at its header, so that a wrong file is found here and not later.
 *
 * @throws {UploaderError} SOURCE_MISSING, SOURCE_NOT_A_DATABASE, SOURCE_LOCKED or SOURCE_UNREADABLE
 */
export function openDatabase(path: string, options: OpenOptions): Connection {
  if (options.mode !== "create") assertFile(path);
  let db: Connection | undefined;
  try {
    db = new Database(path, {
      readonly: options.mode === "read",
      fileMustExist: options.mode !== "create",
      timeout: options.busyTimeoutMs ?? BUSY_TIMEOUT_MS,
    });
    assertSqliteVersion(db);
    db.pragma("schema_version");
    return db;
  } catch (error) {
    db?.close();
    throw describeSqliteError(error, path);
  }
}

/** A connection without a file, for the functions that it is given. */
export function openMemoryDatabase(): Connection {
  return new Database(":memory:");
}

/** Turns what SQLite says into what an operator can do; other errors pass through. */
export function describeSqliteError(error: unknown, path: string): unknown {
  if (!(error instanceof Database.SqliteError)) return error;
  const cause = error;
  if (error.code.startsWith("SQLITE_NOTADB"))
    return new UploaderError({
      code: "SOURCE_NOT_A_DATABASE",
      message: `${path} is not a SQLite database, or it is encrypted.`,
      hint: "Point the setting at the database file that the sensor writes.",
      cause,
    });
  if (error.code.startsWith("SQLITE_BUSY") || error.code.startsWith("SQLITE_LOCKED"))
    return new UploaderError({
      code: "SOURCE_LOCKED",
      message: `${path} is locked by another process.`,
      hint: "Try again when that process is done; `lsof` on the file names it. In WAL mode readers and a writer do not block each other.",
      cause,
    });
  if (error.code.startsWith("SQLITE_CORRUPT"))
    return new UploaderError({
      code: "SOURCE_UNREADABLE",
      message: `${path} is damaged: ${error.message}.`,
      hint: "Run `sqlite3 FILE 'PRAGMA integrity_check'`, and restore or `.recover` the database.",
      cause,
    });
  if (/^SQLITE_(CANTOPEN|READONLY|PERM|AUTH|IOERR|FULL)/.test(error.code))
    return new UploaderError({
      code: "SOURCE_UNREADABLE",
      message: `${path} cannot be used: ${error.message} (${error.code}).`,
      hint: "Check the permissions of the file and its folder, and the free space there; a database in WAL mode needs a folder that can be written, or its -shm file in place.",
      cause,
    });
  return error;
}

function assertFile(path: string): void {
  if (!existsSync(path))
    throw new UploaderError({
      code: "SOURCE_MISSING",
      message: `There is no database at ${path}.`,
      hint: "Start the sensor first, or correct the path.",
    });
  if (!statSync(path).isFile())
    throw new UploaderError({
      code: "SOURCE_NOT_A_DATABASE",
      message: `${path} is not a file.`,
      hint: "Point the setting at the database file itself, not at its folder.",
    });
}

function assertSqliteVersion(db: Connection): void {
  const version = db.prepare("SELECT sqlite_version()").pluck().get() as string;
  const found = version.split(".").map(Number);
  for (const [index, least] of MINIMUM_SQLITE.entries()) {
    const part = found[index] ?? 0;
    if (part > least) return;
    if (part < least)
      throw new Error(
        `better-sqlite3 brings SQLite ${version}; ${MINIMUM_SQLITE.join(".")} or later is needed`,
      );
  }
}
