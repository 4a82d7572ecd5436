import { resolve } from "node:path";
import { CREDENTIAL_MESSAGE, credentialName, looksLikeCredential } from "./credentials.ts";
import { formatKey, MOST_SHOWN, type Problem } from "./problems.ts";
import { CONFIG_FILE, DEFAULT_CONFIG_NAME, SETTING_ENTRIES } from "./setting-table.ts";
import { closestName } from "./suggestion.ts";
import { isMapping } from "./value-shapes.ts";
import { isMissing, loadYamlFile, type ReadFile, readBounded, type YamlFile } from "./yaml-file.ts";

export interface ConfigFileInput {
  /** What the flag `--config` was given. */
  readonly configPath: unknown;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly readFile?: ReadFile;
}

export interface ConfigFile {
  /** Whether a file was named, or lies in the working folder, that cannot be used. */
  readonly broken: boolean;
  readonly file: YamlFile | null;
}

/** Finds and reads the file: `--config`, else CONFIG_PATH, else the default name in the working folder. */
export function loadConfigFile(input: ConfigFileInput, problems: Problem[]): ConfigFile {
  const { configPath, env, cwd, readFile = readBounded } = input;
  const subject = { key: "configuration file", prefix: [] };
  if (configPath !== undefined && (typeof configPath !== "string" || configPath === "")) {
    const message = Array.isArray(configPath) ? "is given more than once" : "must be the path of a file";
    problems.push({ key: subject.key, message, origin: `flag --${CONFIG_FILE.flag}` });
    return { broken: true, file: null };
  }
  const named = configPath ?? env[CONFIG_FILE.env]?.trim();
  const path = resolve(cwd, named || DEFAULT_CONFIG_NAME);
  if (!named && isAbsent(path, readFile)) return { broken: false, file: null };
  const file = loadYamlFile(path, readFile, subject, problems);
  if (file && file.root !== null && !isMapping(file.root)) {
    problems.push({
      key: subject.key,
      message: "must hold keys and values (`key: value`)",
      origin: `${path}:1`,
    });
    return { broken: true, file: null };
  }
  return { broken: file === null, file };
}

/** Reports keys that are no settings, sections that are none, and credentials wherever they stand. */
export function checkKeys(file: YamlFile, problems: Problem[]): void {
  const report: ReportKey = (path, message, suggest) => {
    // Looking for the nearest name takes its time, and past this many nobody sees it.
    const suggestion = suggest && problems.length < MOST_SHOWN ? suggestionFor(path) : "";
    problems.push({
      key: formatKey(path),
      message: message + suggestion,
      origin: `${file.path}:${file.lineOf(path)}`,
    });
  };
  checkSection(file.root, [], report);
}

type ReportKey = (path: readonly string[], message: string, suggest?: boolean) => void;

const YAML_SETTINGS = new Map(
  SETTING_ENTRIES.flatMap(([, setting]) => (setting.yaml === null ? [] : [[setting.yaml, setting] as const])),
);
const SECTIONS = new Set([...YAML_SETTINGS.keys()].flatMap(sectionsOf));

const YAML_NAMES = [...YAML_SETTINGS.keys(), ...SECTIONS];

/** By section (empty for the root): the names in it by their last segments. */
const NEIGHBOURS = new Map(
  ["", ...SECTIONS].map((section) => [
    section,
    new Map(
      YAML_NAMES.filter((name) => (sectionsOf(name).at(-1) ?? "") === section).map((name) => [
        lastSegment(name),
        name,
      ]),
    ),
  ]),
);

/** The names by everything that they might be called; of two with one synonym the first. */
const SYNONYMS = new Map(
  YAML_NAMES.flatMap((name) => [...synonymsOf(name)].map((word) => [word, name] as const)).reverse(),
);

/** Below these, keys are names of columns, and a column may be called anything. */
const COLUMN_NAMES_BELOW = new Set(["emergency.filter", "schematized.schema"]);

function checkSection(section: unknown, path: readonly string[], report: ReportKey): void {
  // A section of which every line is commented out is null.
  if (section === null) return;
  if (!isMapping(section)) {
    report(path, "must be a section, with its settings indented below it");
    return;
  }
  for (const [key, value] of Object.entries(section)) {
    const inner = [...path, key];
    const name = inner.join(".");
    if (looksLikeCredential(key)) report([...path, credentialName(key)], CREDENTIAL_MESSAGE);
    else if (SECTIONS.has(name)) checkSection(value, inner, report);
    else if (COLUMN_NAMES_BELOW.has(name)) continue;
    else {
      if (!YAML_SETTINGS.has(name)) report(inner, "is not a setting", true);
      refuseCredentials(value, inner, report);
    }
  }
}

function refuseCredentials(value: unknown, path: readonly string[], report: ReportKey): void {
  if (Array.isArray(value)) for (const item of value) refuseCredentials(item, path, report);
  if (!isMapping(value)) return;
  for (const [key, inner] of Object.entries(value)) {
    if (looksLikeCredential(key)) report([...path, credentialName(key)], CREDENTIAL_MESSAGE);
    else refuseCredentials(inner, [...path, key], report);
  }
}

/** The setting that was meant: a neighbour, one of another section, or one by its variable's or flag's name. */
function suggestionFor(path: readonly string[]): string {
  const word = path.at(-1) as string;
  for (const names of [NEIGHBOURS.get(path.slice(0, -1).join(".")), SYNONYMS]) {
    const closest = names && closestName(word, names.keys());
    if (closest) return `; did you mean ${names.get(closest)}?`;
  }
  return "";
}

function* synonymsOf(name: string): Iterable<string> {
  yield lastSegment(name);
  yield name.replaceAll(".", "_");
  const setting = YAML_SETTINGS.get(name);
  yield* setting?.env ?? [];
  if (setting?.flag) yield setting.flag.replaceAll("-", "_");
}

function lastSegment(name: string): string {
  return name.split(".").at(-1) as string;
}

function sectionsOf(name: string): string[] {
  const segments = name.split(".");
  return segments.slice(1).map((_, index) => segments.slice(0, index + 1).join("."));
}

function isAbsent(path: string, read: ReadFile): boolean {
  try {
    read(path);
    return false;
  } catch (error) {
    return isMissing(error);
  }
}
