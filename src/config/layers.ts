import { dirname, resolve } from "node:path";
import { formatKey, type Problem } from "./problems.ts";
import { type Setting, settingKey } from "./setting.ts";
import { SETTING_ENTRIES, type SettingName, type SettingValue } from "./setting-table.ts";
import { isMapping } from "./value-shapes.ts";
import type { YamlFile } from "./yaml-file.ts";

/** Where values come from, the strongest first: flags, environment, file. */
export interface Layers {
  /** As yargs parses them, under the flags' own names: `timestamp-col`. */
  readonly argv: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly file: YamlFile | null;
  /** Absolute path. */
  readonly cwd: string;
}

export interface Resolved<T> {
  readonly value: T;
  readonly from: "flag" | "environment" | "file" | "default";
  /** False where what was set is wrong, and reported; the value is then the default. */
  readonly valid: boolean;
  /** For messages; null for a default. */
  readonly origin: string | null;
}

export type ResolvedSettings = { readonly [K in SettingName]: Resolved<SettingValue<K>> };

/**
 * The value of each setting from the strongest layer that has one. The whole file is checked, also where a
 * flag or a variable overrides it; of several variables only the one that counts is.
 */
export function resolveSettings(layers: Layers, problems: Problem[]): ResolvedSettings {
  const resolved = SETTING_ENTRIES.map(([name, setting]) => [
    name,
    resolveSetting(setting, layers, problems),
  ]);
  return Object.fromEntries(resolved) as ResolvedSettings;
}

/** One setting by itself; see `resolveSettings`. */
export function resolveSetting<T, D extends T | null>(
  setting: Setting<T, D>,
  layers: Layers,
  problems: Problem[],
): Resolved<T | D> {
  const given = [fromFlag(setting, layers), fromEnvironment(setting, layers), fromFile(setting, layers)];
  let winner: Resolved<T | D> | null = null;
  for (const candidate of given) {
    if (candidate === null || (winner !== null && candidate.from !== "file")) continue;
    const checked = check(setting, candidate, layers, problems);
    winner ??= checked;
  }
  return winner ?? { value: defaultOf(setting, layers), from: "default", valid: true, origin: null };
}

interface Candidate {
  readonly from: "flag" | "environment" | "file";
  readonly value: unknown;
  readonly origin: string;
  /** Says where within the value a problem is. */
  readonly originOf: (path: readonly PropertyKey[]) => string;
}

function check<T, D extends T | null>(
  setting: Setting<T, D>,
  { from, value, origin, originOf }: Candidate,
  layers: Layers,
  problems: Problem[],
): Resolved<T | D> {
  const result = setting.kind.schema.safeParse(value);
  if (!result.success) {
    const key = settingKey(setting);
    const seen = new Set<string>();
    for (const { path, message } of result.error.issues) {
      const inner = formatKey([...(setting.yaml?.split(".") ?? [key]), ...path]);
      if (seen.has(inner)) continue;
      seen.add(inner);
      problems.push({ key: inner, message, origin: originOf(path) });
    }
    return { value: defaultOf(setting, layers), from, valid: false, origin };
  }
  const base = from === "file" ? baseOf(layers) : layers.cwd;
  const resolved = setting.isPath ? (resolve(base, result.data as string) as T) : result.data;
  return { value: resolved, from, valid: true, origin };
}

function fromFlag({ flag, switchOn, kind }: Setting<unknown>, { argv }: Layers): Candidate | null {
  const given = flag === null ? undefined : argv[flag];
  if (flag === null || given === undefined) return null;
  const origin = `flag --${flag}`;
  const candidate = (value: unknown): Candidate => ({ from: "flag", value, origin, originOf: () => origin });
  if (switchOn === true) return candidate(given);
  if (switchOn !== null) return given === true ? candidate(switchOn) : null;
  // yargs makes a list of a flag that is given several times, which only some settings can be.
  if (Array.isArray(given)) return candidate(given.flatMap((item) => kind.fromText(String(item))));
  return candidate(kind.fromText(String(given)));
}

function fromEnvironment({ env: names, kind }: Setting<unknown>, { env }: Layers): Candidate | null {
  for (const name of names) {
    const given = env[name]?.trim();
    if (!given) continue;
    const origin = `environment variable ${name}`;
    return { from: "environment", value: kind.fromText(given), origin, originOf: () => origin };
  }
  return null;
}

function fromFile({ yaml }: Setting<unknown>, { file }: Layers): Candidate | null {
  if (!file || yaml === null) return null;
  const path = yaml.split(".");
  let value = file.root;
  for (const segment of path) value = isMapping(value) ? value[segment] : undefined;
  if (value === undefined || value === null) return null;
  const originOf = (inner: readonly PropertyKey[]): string =>
    `${file.path}:${file.lineOf([...path, ...inner])}`;
  return { from: "file", value, origin: originOf([]), originOf };
}

/** A default path counts as if it stood in the file, so that the state does not move with the working folder. */
function defaultOf<T, D extends T | null>(setting: Setting<T, D>, layers: Layers): D {
  if (!setting.isPath || setting.default === null) return setting.default;
  return resolve(baseOf(layers), setting.default as string) as D;
}

function baseOf({ file, cwd }: Layers): string {
  return file ? dirname(file.path) : cwd;
}
