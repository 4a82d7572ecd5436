import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** The repository. */
export const ROOT = join(import.meta.dirname, "..");

/** What the benchmark makes and may be deleted at any time: tables, runs, profiles. */
export const DATA = join(import.meta.dirname, ".data");

export const PEERS = join(import.meta.dirname, "peers");

/** One of the built programs. */
export function builtProgram(name: "uploader" | "pipeline-manager" | "sensor"): string {
  return join(ROOT, "dist", name === "sensor" ? "sample-sensor/src/cli.js" : `src/cli/${name}.js`);
}

export function makeFolder(...parts: readonly string[]): string {
  const folder = join(...parts);
  mkdirSync(folder, { recursive: true });
  return folder;
}
