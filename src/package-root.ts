import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const NAME = "databricks-uploader";

interface Package {
  readonly folder: string;
  readonly version: string;
}

let found: Package | undefined;

/** Where this package lies, above its sources and above what is built of them, wherever the bundler puts a module. */
export function findPackage(): Package {
  found ??= findAbove(import.meta.dirname);
  return found;
}

function findAbove(folder: string): Package {
  try {
    const { name, version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    if (name === NAME) return { folder, version };
  } catch {
    // Not in this folder.
  }
  const parent = dirname(folder);
  if (parent === folder) throw new Error(`package.json of ${NAME} is missing`);
  return findAbove(parent);
}
