import { createHash } from "node:crypto";
import type { PropertySchema, TableSchema } from "../core/types.ts";
import { describeValue, type Report } from "./problems.ts";
import { parsePropertySchema } from "./property-schema.ts";
import { didYouMean } from "./suggestion.ts";
import { isMapping, repeatedName } from "./value-shapes.ts";

const KEYWORDS = ["$schema", "$id", "version", "title", "description", "type", "properties", "required"];
const VERSION_DIGITS = 12;

/**
 * Checks the schema of one table: a JSON Schema object whose keywords are all ones that are enforced, or say
 * nothing. What cannot be enforced is refused, so that nobody counts on it.
 *
 * The version is `version`, else `$id`, else a hash of what is checked, which new words in a title do not
 * change.
 *
 * @returns null where something was reported
 */
export function parseTableSchema(value: unknown, report: Report): TableSchema | null {
  let faults = 0;
  const counted: Report = (path, message) => {
    faults += 1;
    report(path, message);
  };
  if (!isMapping(value)) {
    counted([], `must be a JSON Schema object with properties, not ${describeValue(value)}`);
    return null;
  }
  for (const key of Object.keys(value))
    if (!KEYWORDS.includes(key))
      counted(
        [key],
        `is not a keyword that is checked; they are ${KEYWORDS.join(", ")}${didYouMean(key, KEYWORDS)}`,
      );
  for (const key of ["$schema", "$id", "title", "description"])
    if (value[key] !== undefined && typeof value[key] !== "string")
      counted([key], `must be a text, not ${describeValue(value[key])}`);
  if (value.type !== undefined && value.type !== "object")
    counted(["type"], `must be "object", since a row is one, not ${describeValue(value.type)}`);

  const properties = parseProperties(value.properties, counted);
  const required = parseRequired(value.required, counted);
  const version = parseVersion(value, counted) ?? hashOf(properties, required);
  return faults === 0 ? { version, required, properties } : null;
}

function parseProperties(value: unknown, report: Report): Record<string, PropertySchema> {
  // Without a prototype, so that a look-up of a column "constructor" finds nothing.
  const properties: Record<string, PropertySchema> = Object.create(null);
  if (value === undefined) {
    report(["properties"], "is required: a mapping of columns to what must hold for them");
    return properties;
  }
  if (!isMapping(value)) {
    report(
      ["properties"],
      `must be a mapping of columns to what must hold for them, not ${describeValue(value)}`,
    );
    return properties;
  }
  const names = Object.keys(value);
  if (names.length === 0) report(["properties"], "is empty; name at least one column");
  const repeated = repeatedName(names);
  if (repeated !== null)
    report(["properties", repeated], "is there twice; case makes no difference in names of columns");
  for (const [name, property] of Object.entries(value))
    properties[name] = parsePropertySchema(property, (path, message) =>
      report(["properties", name, ...path], message),
    );
  return properties;
}

function parseRequired(value: unknown, report: Report): string[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    report(["required"], `must be a list of columns, not ${describeValue(value)}`);
    return [];
  }
  const names: string[] = [];
  for (const [index, name] of value.entries()) {
    if (typeof name !== "string" || name === "")
      report(["required", index], `must be the name of a column, not ${describeValue(name)}`);
    else names.push(name);
  }
  const repeated = repeatedName(names);
  if (repeated !== null) report(["required"], `names ${describeValue(repeated)} twice`);
  return names;
}

function parseVersion(value: Readonly<Record<string, unknown>>, report: Report): string | null {
  const { version } = value;
  if (version === undefined) return typeof value.$id === "string" && value.$id !== "" ? value.$id : null;
  if (typeof version === "string" && version !== "") return version;
  if (Number.isSafeInteger(version)) return String(version);
  report(
    ["version"],
    `must be a text or a whole number, not ${describeValue(version)}; put quotes around a version such as 1.10`,
  );
  return null;
}

function hashOf(properties: Readonly<Record<string, PropertySchema>>, required: readonly string[]): string {
  const text = JSON.stringify(canonical({ properties, required: [...required].sort() }));
  return createHash("sha256").update(text).digest("hex").slice(0, VERSION_DIGITS);
}

/** The same value with the keys of its objects in one order. */
function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (!isMapping(value)) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, inner]) => [key, canonical(inner)]);
}
