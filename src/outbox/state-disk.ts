import { constants, copyFileSync, linkSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { makeFolder } from "../sqlite/make-folder.ts";
import { syncFolder } from "./sync-folder.ts";

/** What the commands that put a state or an object aside ask of the file system. Tests record it. */
export interface StateDisk {
  /** For this user alone; those above it too, where they are missing. */
  makeFolder(path: string): void;
  /** Writes a file of this text, and syncs it. */
  writeFile(path: string, text: string): Promise<void>;
  /** Gives the file a second name, or, on a file system without hard links, a copy that is synced. */
  link(from: string, to: string): Promise<void>;
  rename(from: string, to: string): void;
  remove(path: string): void;
  /** Makes the names in a folder survive a loss of power. */
  syncFolder(path: string): Promise<void>;
}

export const stateDisk: StateDisk = {
  makeFolder: (path) => void makeFolder(path, 0o700),
  async writeFile(path, text) {
    const file = await open(path, "w", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  async link(from, to) {
    try {
      linkSync(from, to);
    } catch {
      copyFileSync(from, to, constants.COPYFILE_EXCL);
      const file = await open(to, "r+");
      try {
        await file.chmod(0o600);
        await file.sync();
      } finally {
        await file.close();
      }
    }
  },
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  syncFolder,
};
