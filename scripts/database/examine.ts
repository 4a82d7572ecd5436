import { closeSync, openSync, readSync, statSync } from "node:fs";
import { UploaderError } from "../../src/core/errors.ts";
import { networkFileSystem, readFileSystem } from "../../src/sqlite/file-system.ts";
import { type Connection, describeSqliteError, openDatabase } from "../../src/sqlite/open.ts";
import { findHolders, type Holders } from "./file-holders.ts";
import { hasWriter } from "./write-lock.ts";

/** What is known of a database without changing it. */
export interface Examination {
  readonly path: string;
  readonly bytes: number;
  /** Of the write-ahead log; 0 where there is none. */
  readonly walBytes: number;
  /** Whether a rollback journal lies beside it: a writer is at work, or was interrupted. */
  readonly hasJournal: boolean;
  readonly networkFileSystem: string | null;
  readonly holders: Holders | null;
  /** Whether another process holds the write lock; null where that was not asked. */
  readonly hasWriter: boolean | null;
  /** null where SQLite cannot read so far. */
  readonly pages: Pages | null;
  /** What is wrong, as SQLite says it; empty: nothing. */
  readonly faults: readonly string[];
}

export interface Pages {
  readonly journalMode: string;
  readonly pageBytes: number;
  readonly count: number;
  /** Pages that are in no use, which VACUUM would give back. */
  readonly free: number;
}

const MOST_FAULTS = 20;

export function isSound({ faults }: Pick<Examination, "faults">): boolean {
  return faults.length === 0;
}

/** @throws {UploaderError} SOURCE_MISSING, SOURCE_NOT_A_DATABASE or SOURCE_LOCKED */
export function examineDatabase(path: string): Examination {
  const holders = findHolders(path);
  const { pages, faults } = readPages(path);
  const fileSystem = readFileSystem(path);
  return {
    path,
    bytes: sizeOf(path),
    walBytes: sizeOf(`${path}-wal`),
    hasJournal: sizeOf(`${path}-journal`) > 0,
    networkFileSystem: fileSystem && networkFileSystem(fileSystem),
    holders,
    hasWriter: holders === null || holders.found.length === 0 ? null : hasWriter(path),
    pages,
    faults,
  };
}

/** Read only, so that the log stays as it is: a connection that may write empties it when it is closed. */
function readPages(path: string): Pick<Examination, "pages" | "faults"> {
  let db: Connection | undefined;
  let pages: Pages | null = null;
  try {
    db = openDatabase(path, { mode: "read" });
    pages = {
      journalMode: String(db.pragma("journal_mode", { simple: true })),
      pageBytes: Number(db.pragma("page_size", { simple: true })),
      count: Number(db.pragma("page_count", { simple: true })),
      free: Number(db.pragma("freelist_count", { simple: true })),
    };
    return { pages, faults: integrityFaults(db) };
  } catch (error) {
    const described = describeSqliteError(error, path);
    if (!(described instanceof UploaderError) || !isDamage(described, path)) throw described;
    return { pages, faults: [described.message] };
  } finally {
    db?.close();
  }
}

function isDamage({ code }: UploaderError, path: string): boolean {
  return code === "SOURCE_UNREADABLE" || (code === "SOURCE_NOT_A_DATABASE" && mayBeDatabase(path));
}

/** What `PRAGMA integrity_check` finds: https://sqlite.org/pragma.html#pragma_integrity_check */
export function integrityFaults(db: Connection): string[] {
  const found = db.pragma(`integrity_check(${MOST_FAULTS})`) as { integrity_check: string }[];
  return found
    .flatMap(({ integrity_check }) => integrity_check.split("\n"))
    .filter((line) => line !== "ok" && !/^\*\*\* in database .* \*\*\*$/.test(line))
    .slice(0, MOST_FAULTS);
}

/** A file of whole pages of 512 bytes is worth a repair, also where its first page is overwritten. */
function mayBeDatabase(path: string): boolean {
  if (!statSync(path).isFile()) return false;
  const file = openSync(path, "r");
  try {
    const header = Buffer.alloc(16);
    readSync(file, header, 0, 16, 0);
    const isWhole = sizeOf(path) > 0 && sizeOf(path) % 512 === 0;
    return header.toString("latin1") === "SQLite format 3\0" || isWhole;
  } finally {
    closeSync(file);
  }
}

export function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
