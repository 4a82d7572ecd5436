import { readFileSync, statSync } from "node:fs";

/**
 * Whether any process has a lock on a database or its index, also one of another user, whose open files are not shown:
 * /proc/locks (proc(5)) names the inodes of all. In WAL mode every connection that has read once holds one until it is
 * closed. Devices are not compared, since some file systems give stat(2) another number; an inode of the same number
 * elsewhere is at worst a refusal too many.
 *
 * @returns false where there is no /proc/locks
 */
export function hasLock(database: string, proc = "/proc"): boolean {
  const inodes = ["", "-shm"].flatMap((suffix) => {
    const stats = statSync(database + suffix, { bigint: true, throwIfNoEntry: false });
    return stats ? [String(stats.ino)] : [];
  });
  return locks(proc).some((line) => {
    // 1: POSIX  ADVISORY  READ 4711 08:01:262145 1073741826 1073742335
    const [, inode = ""] = /\s[\da-f]+:[\da-f]+:(\d+)\s/.exec(line) ?? [];
    return inodes.includes(inode);
  });
}

function locks(proc: string): string[] {
  try {
    return readFileSync(`${proc}/locks`, "utf8").split("\n");
  } catch {
    return [];
  }
}
