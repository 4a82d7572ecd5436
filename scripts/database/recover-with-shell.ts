import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import Database from "better-sqlite3";

/** Pages of deleted rows are left alone: what was deleted stays deleted. */
const RECOVER = ".recover --ignore-freelist";
const OPTIONS = ["-batch", "-init", "/dev/null"];

/**
 * The sqlite3 shell, if there is one whose `.recover` works; else null. UPLOADER_SQLITE_SHELL names another one than
 * `sqlite3`; `none` does without. It is tried on a small database, because versions do not tell: that of Debian 12
 * (3.40.1) has the command, but not the table `sqlite_dbpage` that it needs.
 */
export function findShell(named = process.env.UPLOADER_SQLITE_SHELL): string | null {
  if (named === "none") return null;
  const shell = named || "sqlite3";
  const folder = mkdtempSync(join(tmpdir(), "sqlite-shell-"));
  try {
    const sample = join(folder, "sample.db");
    new Database(sample).exec("CREATE TABLE sample (value); INSERT INTO sample VALUES ('found')").close();
    const { status, stdout } = spawnSync(shell, [...OPTIONS, sample, RECOVER], { encoding: "utf8" });
    return status === 0 && stdout.includes("'found'") ? shell : null;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Writes what `.recover` reads of one database into a new one: https://sqlite.org/recovery.html. Rows of which nothing
 * says to which table they belong go to the table `lost_and_found`.
 *
 * @returns false where the shell gives up, as it does without the file's first page
 */
export async function recoverWithShell(shell: string, from: string, to: string): Promise<boolean> {
  const reading = spawn(shell, [...OPTIONS, from, RECOVER], { stdio: ["ignore", "pipe", "ignore"] });
  const writing = spawn(shell, [...OPTIONS, "-bail", to], { stdio: ["pipe", "ignore", "ignore"] });
  const ended = [once(reading, "close"), once(writing, "close")];
  // A shell that ends early is judged by its exit code.
  await pipeline(reading.stdout, writing.stdin).catch(() => {});
  const codes = (await Promise.all(ended)).map(([code]) => code as number | null);
  return codes.every((code) => code === 0);
}
