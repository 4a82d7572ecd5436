import { type BigIntStats, statSync } from "node:fs";

/** Whether a path still leads to the file that was opened. */
export interface FileIdentity {
  /** Of the file that was opened, the same wherever on this machine it is asked; null: there was none. */
  readonly id: string | null;
  /**
   * `same`, also where there is no file at the moment; `other`: another file has been put in its place;
   * `mixed`: so it has, and the write-ahead log of the old one lies beside it.
   */
  compare(): "same" | "other" | "mixed";
}

/**
 * Notes which file a database is, so that one that is put in its place by a rename is noticed: whoever holds the
 * old one open goes on with it, and would never see a row of the new one.
 *
 * A log that stays behind is taken for that of the new file and damages it, which SQLite cannot notice:
 * https://sqlite.org/howtocorrupt.html (1.4, 4.1).
 */
export function noteFile(path: string): FileIdentity {
  const opened = look(path);
  let log = look(`${path}-wal`);
  return {
    id: opened ? `${opened.dev}:${opened.ino}` : null,
    compare() {
      const now = look(path);
      if (!opened || !now || isSame(opened, now)) {
        // SQLite makes it when it is first needed.
        if (now) log = look(`${path}-wal`);
        return "same";
      }
      const logNow = look(`${path}-wal`);
      return log && logNow && isSame(log, logNow) ? "mixed" : "other";
    },
  };
}

function look(path: string): BigIntStats | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false });
}

function isSame(one: BigIntStats, other: BigIntStats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}
