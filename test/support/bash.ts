import { type SpawnSyncReturns, spawnSync } from "node:child_process";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

/** Runs a line of bash, by default in the root of the repository, with nothing in its environment but what is given. */
export function bash(
  command: string,
  env: Readonly<Record<string, string>> = {},
  cwd = ROOT,
): SpawnSyncReturns<string> {
  const { PATH = "", HOME = "" } = process.env;
  return spawnSync("bash", ["-c", command], { cwd, encoding: "utf8", env: { PATH, HOME, ...env } });
}
