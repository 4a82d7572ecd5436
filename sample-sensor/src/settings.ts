import { existsSync, readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { parseDocument } from "yaml";
import type * as z from "zod";
import { UploaderError } from "../../src/core/errors.ts";
import { type Backfill, checkBackfill } from "./backfill-settings.ts";
import type { Arguments, FlagName } from "./flags.ts";
import { type Settings, settingsSchema } from "./settings-schema.ts";
import { suggest } from "./suggest.ts";

/** Where the configuration is looked for when no flag names it. */
const DEFAULT_FILES = ["sensor-config.yaml", "sample-sensor/sensor-config.yaml"];

/** The settings that flags and environment variables stand for. */
const FLAG_SETTINGS: Partial<Record<FlagName, string>> = {
  db: "database.path",
  sensors: "simulation.sensors",
  rate: "simulation.readings_per_second",
  duration: "simulation.run_time_seconds",
  seed: "simulation.seed",
  "anomaly-probability": "anomalies.probability",
};
const VARIABLE_SETTINGS: Readonly<Record<string, string>> = { SENSOR_DB_PATH: "database.path" };

/** Settings that are file names: they are relative to the file or folder where they were written. */
const PATH_SETTINGS = ["database.path"];

export interface Surroundings {
  readonly arguments: Arguments;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Absolute path of the working folder. */
  readonly folder: string;
}

export interface LoadedSettings {
  readonly settings: Settings;
  readonly backfill: Backfill | null;
  /** The file that was read, if any. */
  readonly file: string | null;
}

type Tree = Record<string, unknown>;

/**
 * The settings from flags, environment, YAML file and defaults, in this order of precedence.
 *
 * @throws {UploaderError} CONFIG_INVALID, which lists every problem with its key and where it came from
 */
export function loadSettings({ arguments: given, environment, folder }: Surroundings): LoadedSettings {
  const problems = [...given.problems];
  const file = findFile(given.values.config, folder);
  const tree = file ? readYaml(file, problems) : {};
  const origins = new Map<string, string>();
  if (file) resolvePaths(tree, dirname(file));

  function overlay(setting: string, origin: string, text: string): void {
    const isPath = PATH_SETTINGS.includes(setting);
    setAt(tree, setting.split("."), isPath && text !== "" ? resolve(folder, text) : toNumber(text));
    origins.set(setting, origin);
  }
  for (const [name, setting] of Object.entries(VARIABLE_SETTINGS))
    if (environment[name]) overlay(setting, name, environment[name]);
  for (const [name, setting] of Object.entries(FLAG_SETTINGS)) {
    const text = given.values[name as FlagName];
    if (text !== undefined) overlay(setting, `--${name}`, text);
  }

  const result = settingsSchema.safeParse(tree);
  if (!result.success)
    for (const issue of result.error.issues) problems.push(...describeIssue(issue, tree, origins));
  const backfill = checkBackfill(given, result.success ? result.data : null, problems);
  if (!result.success || problems.length > 0) throw invalid(problems, file);
  const settings = result.data;
  const path = resolve(folder, settings.database.path);
  return { settings: { ...settings, database: { ...settings.database, path } }, backfill, file };
}

function findFile(named: string | undefined, folder: string): string | null {
  if (named === undefined)
    return DEFAULT_FILES.map((name) => resolve(folder, name)).find((path) => existsSync(path)) ?? null;
  return resolve(folder, named);
}

function readYaml(file: string, problems: string[]): Tree {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    problems.push(`${file}: cannot be read (${(error as NodeJS.ErrnoException).code ?? String(error)})`);
    return {};
  }
  const document = parseDocument(text);
  problems.push(...document.errors.map((error) => `not valid YAML: ${error.message.trimEnd()}`));
  if (document.errors.length > 0) return {};
  let tree: unknown;
  try {
    tree = withoutEmpty(document.toJS());
  } catch (error) {
    problems.push(`not valid YAML: ${(error as Error).message}`);
    return {};
  }
  if (tree === undefined) return {};
  if (isTree(tree)) return tree;
  problems.push("the file must hold sections such as `simulation:`, not a single value or a list");
  return {};
}

/** An empty value in the file means the default. */
function withoutEmpty(value: unknown): unknown {
  if (value === null) return undefined;
  if (!isTree(value)) return value;
  const entries = Object.entries(value).map(([key, item]) => [key, withoutEmpty(item)] as const);
  return Object.fromEntries(entries.filter(([, item]) => item !== undefined));
}

function resolvePaths(tree: Tree, folder: string): void {
  for (const setting of PATH_SETTINGS) {
    const keys = setting.split(".");
    const value = getAt(tree, keys);
    if (typeof value === "string" && value !== "") setAt(tree, keys, resolve(folder, value));
  }
}

function describeIssue(issue: z.core.$ZodIssue, tree: Tree, origins: Map<string, string>): string[] {
  const path = issue.path.map(String);
  if (issue.code === "unrecognized_keys")
    return issue.keys.map(
      (key) => `${[...path, key].join(".")}: unknown key${suggest(key, knownKeys(path))}`,
    );
  const key = path.join(".");
  const origin = origins.get(key);
  const value = getAt(tree, path);
  const got = value === undefined || isTree(value) ? "" : `, got ${JSON.stringify(value)}`;
  const text =
    issue.code === "invalid_key" ? issue.issues.map(({ message }) => message).join(", ") : issue.message;
  const message = text.replace(/^(Invalid input|Too small|Too big): /, "");
  return [`${origin ? `${origin} (${key})` : key}: ${message}${got}`];
}

/** The keys of the schema's object at a path. */
function knownKeys(path: readonly string[]): string[] {
  let schema = unwrap(settingsSchema);
  for (const key of path) {
    const { shape, element } = schema.def as {
      shape?: Record<string, z.core.$ZodType>;
      element?: z.core.$ZodType;
    };
    const next = shape?.[key] ?? element;
    if (!next) return [];
    schema = unwrap(next);
  }
  return Object.keys((schema.def as { shape?: object }).shape ?? {});
}

/** The schema itself, without defaults and transformations. */
function unwrap(schema: z.core.$ZodType): { def: object } {
  const { innerType, in: input } = schema._zod.def as { innerType?: z.core.$ZodType; in?: z.core.$ZodType };
  const inner = innerType ?? input;
  return inner ? unwrap(inner) : { def: schema._zod.def };
}

function invalid(problems: readonly string[], file: string | null): UploaderError {
  const subject = file ? `The configuration (${file})` : "The configuration";
  const count = problems.length === 1 ? "a problem" : `${problems.length} problems`;
  return new UploaderError({
    code: "CONFIG_INVALID",
    message: [`${subject} has ${count}:`, ...problems.map((problem) => `  ${problem}`)].join("\n"),
    hint: "`sensor --help` lists the flags; sample-sensor/sensor-config.yaml explains each key.",
  });
}

function toNumber(text: string): unknown {
  return text.trim() !== "" && Number.isFinite(Number(text)) ? Number(text) : text;
}

function isTree(value: unknown): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function getAt(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? (value as Tree)[key] : undefined),
    tree,
  );
}

/** Where the file has a wrong section on the way, nothing is set: the section is the problem to report. */
function setAt(tree: Tree, path: readonly string[], value: unknown): void {
  const [key, ...rest] = path as [string, ...string[]];
  if (rest.length === 0) tree[key] = value;
  else {
    tree[key] ??= {};
    if (isTree(tree[key])) setAt(tree[key], rest, value);
  }
}
