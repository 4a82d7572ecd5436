import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  linkSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname } from "node:path";

export interface Replacement {
  readonly database: string;
  /** The new file, in the same folder, closed and without a log. */
  readonly made: string;
  /** Where the old one goes; its log, index and journal take the same name with their suffix. */
  readonly keptAs: string;
}

/**
 * Puts a new database in the place of an old one, with its mode and owner, and keeps the old one. At each moment there
 * is a database under its name, and never the new one beside the log of the old: SQLite would take that log for the
 * new one's, and damage it (https://sqlite.org/howtocorrupt.html, 1.4).
 */
export function putInPlace({ database, made, keptAs }: Replacement): string {
  const { mode, uid, gid } = statSync(database);
  chmodSync(made, mode & 0o7777);
  if (process.getuid?.() === 0) chownSync(made, uid, gid);
  linkSync(database, keptAs);
  for (const suffix of ["-wal", "-shm", "-journal"])
    if (existsSync(database + suffix)) renameSync(database + suffix, keptAs + suffix);
  for (const suffix of ["-wal", "-shm"]) rmSync(made + suffix, { force: true });
  renameSync(made, database);
  syncFolder(dirname(database));
  return keptAs;
}

function syncFolder(path: string): void {
  const folder = openSync(path, "r");
  try {
    fsyncSync(folder);
  } finally {
    closeSync(folder);
  }
}
