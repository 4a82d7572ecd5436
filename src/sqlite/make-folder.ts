import { mkdirSync, statSync } from "node:fs";
import { dirname } from "node:path";

/**
 * Makes a folder and those above it that are missing. `mkdirSync` with `recursive` takes each ENOENT for a missing
 * parent, and so never ends in /proc, which answers that to everybody who would make a folder there.
 *
 * @returns the topmost folder that was made; undefined where all were there
 */
export function makeFolder(path: string, mode = 0o777): string | undefined {
  const parent = dirname(path);
  const isThere = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  if (isThere) return undefined;
  const made = parent === path ? undefined : makeFolder(parent, mode);
  try {
    mkdirSync(path, { mode });
    return made ?? path;
  } catch (error) {
    // Another process was faster.
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return made;
    throw error;
  }
}
