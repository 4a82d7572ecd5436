import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename } from "node:path";

/** A process that has a database, its log or its index open. */
export interface Holder {
  readonly pid: number;
  /** The first words of its command line. */
  readonly command: string;
  /** Names of the files, as in `sensor.db`, `sensor.db-wal`. */
  readonly files: readonly string[];
}

export interface Holders {
  readonly found: readonly Holder[];
  /** How many processes did not let their files be seen: those of other users, unless this one is root's. */
  readonly hidden: number;
}

const SUFFIXES = ["", "-wal", "-shm", "-journal"];

/**
 * Which other processes have a database open, by device and inode of what lies in /proc/{pid}/fd (proc(5)), so that
 * other names for the same file, as in a container, count too. Processes of another PID namespace are not there.
 *
 * @returns null where there is no /proc
 */
export function findHolders(database: string, proc = "/proc"): Holders | null {
  const processes = processIds(proc);
  if (processes === null) return null;
  const files = new Map<string, string>();
  for (const suffix of SUFFIXES) {
    const id = fileId(database + suffix);
    if (id !== null) files.set(id, basename(database) + suffix);
  }
  const found: Holder[] = [];
  let hidden = 0;
  for (const pid of processes) {
    const held = heldFiles(`${proc}/${pid}/fd`, files);
    if (held === "hidden") hidden++;
    else if (held.length > 0) found.push({ pid, command: commandOf(`${proc}/${pid}`), files: held });
  }
  return { found, hidden };
}

function processIds(proc: string): number[] | null {
  try {
    const ids = readdirSync(proc).filter((name) => /^\d+$/.test(name));
    return ids.length === 0 ? null : ids.map(Number).filter((pid) => pid !== process.pid);
  } catch {
    return null;
  }
}

function heldFiles(folder: string, files: ReadonlyMap<string, string>): string[] | "hidden" {
  let descriptors: string[];
  try {
    descriptors = readdirSync(folder);
  } catch (error) {
    // ENOENT and ESRCH: it has ended meanwhile.
    return (error as NodeJS.ErrnoException).code === "EACCES" ? "hidden" : [];
  }
  const held = descriptors.map((descriptor) => files.get(fileId(`${folder}/${descriptor}`) ?? ""));
  return [...new Set(held)].filter((name) => name !== undefined).sort();
}

function fileId(path: string): string | null {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return null;
  }
}

function commandOf(folder: string): string {
  try {
    const words = readFileSync(`${folder}/cmdline`, "utf8").split("\0").filter(Boolean);
    return words.slice(0, 4).join(" ") || readFileSync(`${folder}/comm`, "utf8").trim();
  } catch {
    return "";
  }
}
