import { loadSettings } from "../../src/config/load-settings.ts";
import type { Settings } from "../../src/config/settings.ts";
import type { ReadFile } from "../../src/config/yaml-file.ts";
import { UploaderError } from "../../src/core/errors.ts";

export const CWD = "/srv/folder";
export const CONFIG = `${CWD}/databricks-uploader-config.yaml`;

export interface Given {
  readonly argv?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  /** The text of the default file; none if left out. */
  readonly yaml?: string;
  /** Further files by absolute path. */
  readonly files?: Readonly<Record<string, string | Uint8Array>>;
  readonly hostname?: string;
}

/** A file system of a few texts. */
export function filesOf({ yaml, files = {} }: Given): ReadFile {
  const all = new Map<string, string | Uint8Array>(Object.entries(files));
  if (yaml !== undefined) all.set(CONFIG, yaml);
  return (path) => {
    const content = all.get(path);
    if (content === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    return typeof content === "string" ? Buffer.from(content) : content;
  };
}

export function settingsOf(given: Given): Settings {
  const { argv = {}, env = {}, hostname = "machine-1" } = given;
  return loadSettings({ argv, env, cwd: CWD, hostname, readFile: filesOf(given) });
}

/** Settings that need nothing but what is under test. */
export function localSettingsOf(given: Given): Settings {
  return settingsOf({ ...given, argv: { sqlite: "a.db", directory: "lake", ...given.argv } });
}

/** The lines of the problems, without what stands around them; empty where there is none. */
export function problemsOf(given: Given, load: (given: Given) => unknown = localSettingsOf): string[] {
  try {
    load(given);
    return [];
  } catch (error) {
    if (!(error instanceof UploaderError) || error.code !== "CONFIG_INVALID") throw error;
    return error.message
      .split("\n")
      .slice(1)
      .map((line) => line.trim());
  }
}
