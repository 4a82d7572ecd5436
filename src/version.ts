import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

let version: string | undefined;

/** The version in package.json, which lies one folder up from the sources and two from what is built. */
export function uploaderVersion(): string {
  version ??= findVersion(dirname(fileURLToPath(import.meta.url)));
  return version;
}

function findVersion(folder: string): string {
  try {
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    if (name === "databricks-uploader") return version;
  } catch {
    // Not in this folder.
  }
  const parent = dirname(folder);
  if (parent === folder) throw new Error("package.json of databricks-uploader is missing");
  return findVersion(parent);
}
