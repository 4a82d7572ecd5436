import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  openSync,
  rmSync,
  statSync,
} from "node:fs";
import Database from "better-sqlite3";
import { UploaderError } from "../../src/core/errors.ts";
import { openDatabase } from "../../src/sqlite/open.ts";
import { examineDatabase, integrityFaults, isSound } from "./examine.ts";
import { findHolders } from "./file-holders.ts";
import { hasLock } from "./file-locks.ts";
import { putInPlace } from "./put-in-place.ts";
import { findShell, recoverWithShell } from "./recover-with-shell.ts";
import { rowCounts } from "./row-counts.ts";
import { type SalvagedTable, salvageDatabase } from "./salvage.ts";

export type Method = "backup" | "recover" | "salvage";

export interface Repair {
  readonly path: string;
  /** Where the old file is; its log and index lie beside it. */
  readonly keptAs: string;
  readonly method: Method;
  /** Of the old file. */
  readonly faults: readonly string[];
  /** Rows of the new file by table. */
  readonly rows: ReadonlyMap<string, number>;
  /** What a salvage had to leave out. */
  readonly salvaged: readonly SalvagedTable[];
}

/**
 * Makes a new database of what can be read of an old one, and puts it in its place. The old one is opened to be read
 * alone: the work is done on a copy, since SQLite would change the file when it takes up its log.
 *
 * A sound one is copied by SQLite's backup, which takes the log in. Of a damaged one `.recover` of the shell reads
 * every page, whether something leads to it or not; where the shell cannot, each table is read up to the damage and
 * behind it.
 *
 * @throws {UploaderError} SOURCE_LOCKED while another process has it open; SOURCE_UNREADABLE if nothing can be saved
 */
export async function repairDatabase(path: string, now: Date): Promise<Repair> {
  assertAlone(path);
  const { faults, pages } = examineDatabase(path);
  const before = fingerprint(path);
  const date = now.toISOString().replace(/[-:]|\.\d+/g, "");
  const work = `${path}.repair-${date}`;
  const made = `${work}-new`;
  try {
    copyWithLog(path, work);
    const { method, salvaged } = await make(work, made, isSound({ faults }));
    const rows = finish(made, pages === null || pages.journalMode === "wal");
    assertAlone(path);
    assertUnchanged(path, before);
    const keptAs = putInPlace({ database: path, made, keptAs: `${path}.before-repair-${date}` });
    return { path, keptAs, method, faults, rows, salvaged };
  } finally {
    for (const file of [work, made])
      for (const suffix of ["", "-wal", "-shm", "-journal"]) rmSync(file + suffix, { force: true });
  }
}

async function make(
  from: string,
  to: string,
  sound: boolean,
): Promise<{ method: Method; salvaged: readonly SalvagedTable[] }> {
  if (sound) {
    const db = openDatabase(from, { mode: "write" });
    try {
      await db.backup(to);
    } finally {
      db.close();
    }
    return { method: "backup", salvaged: [] };
  }
  const shell = findShell();
  if (shell !== null && (await recoverWithShell(shell, from, to))) return { method: "recover", salvaged: [] };
  rmSync(to, { force: true });
  return { method: "salvage", salvaged: salvageDatabase(from, to) };
}

/** Looks whether the new file is whole, sets its journal mode, and syncs it; gives back its rows by table. */
function finish(path: string, wal: boolean): ReadonlyMap<string, number> {
  const db = new Database(path, { fileMustExist: true });
  try {
    const faults = integrityFaults(db);
    if (faults.length > 0)
      throw new UploaderError({
        code: "SOURCE_UNREADABLE",
        message: `What was saved is not whole either: ${faults[0]}.`,
        hint: "Restore a back-up. The database is as it was.",
      });
    db.pragma(`journal_mode = ${wal ? "WAL" : "DELETE"}`);
    return rowCounts(db);
  } finally {
    db.close();
    syncFile(path);
  }
}

function syncFile(path: string): void {
  const file = openSync(path, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function copyWithLog(from: string, to: string): void {
  for (const suffix of ["", "-wal", "-journal"])
    if (existsSync(from + suffix)) copyFileSync(from + suffix, to + suffix, constants.COPYFILE_FICLONE);
}

/** Size and time of the file and its log: a process that cannot be seen from here, in a container, would change them. */
function fingerprint(path: string): string {
  return ["", "-wal", "-journal"]
    .map((suffix) => statSync(path + suffix, { bigint: true, throwIfNoEntry: false }))
    .map((stats) => `${stats?.ino} ${stats?.size} ${stats?.mtimeNs}`)
    .join();
}

function assertUnchanged(path: string, before: string): void {
  if (fingerprint(path) !== before) throw inUse(path, "something wrote to it meanwhile");
}

function assertAlone(path: string): void {
  const [first, ...others] = findHolders(path)?.found ?? [];
  if (!first) {
    if (hasLock(path)) throw inUse(path, "a process that cannot be seen from here has it open");
    return;
  }
  const more = others.length > 0 ? ` and ${others.length} more` : "";
  throw inUse(path, `process ${first.pid} (${first.command})${more} has it open`);
}

function inUse(path: string, why: string): UploaderError {
  return new UploaderError({
    code: "SOURCE_LOCKED",
    message: `${path} is not repaired: ${why}.`,
    hint: "Stop the sensor, the uploader and whatever else has the database open, and try again.",
  });
}
