import { UploaderError } from "../core/errors.ts";

/** One mistake in the configuration. */
export interface Problem {
  readonly key: string;
  /** Reads on from the key: `must be …`. */
  readonly message: string;
  /** `/path/file.yaml:12`, `environment variable NAME` or `flag --name`; null where nothing is set. */
  readonly origin: string | null;
}

/** Takes one problem down; the path leads from the value that is being checked to the part at fault. */
export type Report = (path: readonly PropertyKey[], message: string) => void;

/** A file with a thousand mistakes is a wrong file; nobody reads past this many lines. */
export const MOST_SHOWN = 50;

/** Longer values are not shown: what is long may be a key that was put in the wrong place. */
const LONGEST_SHOWN = 32;

/** @throws {UploaderError} CONFIG_INVALID, with each problem on a line of its own, if there is any */
export function throwIfAny(problems: readonly Problem[]): void {
  if (problems.length === 0) return;
  const lines = [...new Set(problems.map(formatProblem))];
  const shown = lines.slice(0, MOST_SHOWN);
  if (lines.length > MOST_SHOWN) shown.push(`… and ${lines.length - MOST_SHOWN} more`);
  const count = lines.length === 1 ? "a problem" : `${lines.length} problems`;
  throw new UploaderError({
    code: "CONFIG_INVALID",
    message: [`The configuration has ${count}:`, ...shown.map((line) => `  ${line}`)].join("\n"),
    hint: "Correct each in the place that stands behind it; the configuration reference in README.md lists every setting.",
  });
}

/** `s3_configuration.buckets.raw`, `sqlite_table[1]`; segments of other characters stand in quotes. */
export function formatKey(path: readonly PropertyKey[]): string {
  let key = "";
  for (const segment of path) {
    if (typeof segment === "number") key += `[${segment}]`;
    else key += `${key === "" ? "" : "."}${formatSegment(String(segment))}`;
  }
  return key;
}

/** A value for a message: short scalars as they are, of the others only what they are. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === "") return "an empty text";
  if (typeof value === "string")
    return value.length > LONGEST_SHOWN ? `a text of ${value.length} characters` : quoted(value);
  if (Array.isArray(value)) return "a list";
  if (value !== null && typeof value === "object") return "a mapping";
  return String(value);
}

function formatProblem({ key, message, origin }: Problem): string {
  return `${key}: ${message}${origin === null ? "" : ` (${origin})`}`;
}

function formatSegment(segment: string): string {
  const clipped = segment.length > LONGEST_SHOWN ? `${segment.slice(0, LONGEST_SHOWN - 1)}…` : segment;
  // The dots as \u2026: a regular expression with them would make the whole bundle a string of two-byte characters.
  return /^[\w$\u2026-]+$/.test(clipped) ? clipped : quoted(clipped);
}

/** In quotes, with every control character escaped, so that a file cannot write to the terminal. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(
    /[\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
