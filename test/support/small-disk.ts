import { execFileSync } from "node:child_process";
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";

/** A file system of its own, in memory, which is soon full. */
export interface SmallDisk {
  /** Takes all the room there is. */
  fill(): void;
  /** Gives back what `fill` took. */
  free(): void;
  setReadOnly(isReadOnly: boolean): void;
}

/** Mounts one at the folder until the test ends. */
export function mountSmallDisk(folder: string, kilobytes: number): SmallDisk {
  mkdirSync(folder, { recursive: true });
  mount("-t", "tmpfs", "-o", `size=${kilobytes}k,mode=700`, "tmpfs", folder);
  onTestFinished(() => void execFileSync("umount", ["-l", folder]));
  const ballast = join(folder, "ballast");
  return {
    fill() {
      const file = openSync(ballast, "a");
      try {
        for (let bytes = 1 << 20; bytes >= 1; ) {
          try {
            writeSync(file, Buffer.alloc(bytes));
          } catch (error) {
            if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
            bytes = Math.floor(bytes / 2);
          }
        }
      } finally {
        closeSync(file);
      }
    },
    free: () => rmSync(ballast, { force: true }),
    setReadOnly: (isReadOnly) => mount("-o", `remount,${isReadOnly ? "ro" : "rw"}`, folder),
  };
}

/** Why this machine lets no test mount anything, or null. */
export function whyNoMount(): string | null {
  const folder = mkdtempSync(join(tmpdir(), "mount-"));
  try {
    mount("-t", "tmpfs", "-o", "size=64k", "tmpfs", folder);
    execFileSync("umount", [folder]);
    return null;
  } catch (error) {
    return `no file system can be mounted here (${String((error as Error).message)
      .trim()
      .split("\n")
      .at(-1)})`;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function mount(...args: readonly string[]): void {
  execFileSync("mount", args, { stdio: ["ignore", "ignore", "pipe"] });
}
