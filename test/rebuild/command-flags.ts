import { join } from "node:path";
import type { Site } from "./site.ts";

/** Of the program that is run for a site. */
export function flagsOf({ database, stateDir, folder }: Site): string[] {
  const lake = join(folder, "lake");
  return [
    "--sqlite",
    database,
    "--table",
    "readings",
    "--node-id",
    "press-7",
    "--state-dir",
    stateDir,
    "--directory",
    lake,
  ];
}
