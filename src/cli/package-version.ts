import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** The version in package.json, which lies above this file in the sources as well as in `dist`. */
export function packageVersion(): string {
  let folder = import.meta.dirname;
  while (!existsSync(join(folder, "package.json")) && dirname(folder) !== folder) folder = dirname(folder);
  return (JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { version: string }).version;
}
