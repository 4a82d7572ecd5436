import type { PropertySchema, Scalar } from "../core/types.ts";
import { describeValue, type Report } from "./problems.ts";
import { didYouMean } from "./suggestion.ts";
import { isFiniteNumber, isMapping, isScalar } from "./value-shapes.ts";

type PropertyType = NonNullable<PropertySchema["type"]>;
type Draft = { -readonly [K in keyof PropertySchema]: PropertySchema[K] };

const TYPES: readonly PropertyType[] = ["string", "number", "integer", "boolean", "timestamp"];

interface Keyword {
  /** The types whose values it says something about; of others it would be ignored, which is a mistake. */
  readonly types: readonly PropertyType[];
  readonly check: (value: unknown) => string | null;
}

const NUMERIC: readonly PropertyType[] = ["number", "integer"];

const KEYWORDS: Readonly<Record<string, Keyword>> = {
  type: { types: TYPES, check: () => null },
  format: { types: ["string", "timestamp"], check: formatFault },
  minimum: { types: NUMERIC, check: numberFault },
  maximum: { types: NUMERIC, check: numberFault },
  enum: { types: TYPES, check: enumFault },
  pattern: { types: ["string"], check: patternFault },
  maxLength: { types: ["string"], check: lengthFault },
  title: { types: TYPES, check: textFault },
  description: { types: TYPES, check: textFault },
};

/**
 * Checks one entry of `properties`. `["number", "null"]` is number, since null says that a value is absent,
 * which `required` decides; for the same reason null is taken out of an enum. `format: date-time` is
 * `type: timestamp`.
 */
export function parsePropertySchema(value: unknown, report: Report): PropertySchema {
  const draft: Draft = {};
  if (!isMapping(value)) {
    report([], `must be a mapping with a type, not ${describeValue(value)}`);
    return draft;
  }
  const type = parseType(value, report);
  if (type !== undefined) draft.type = type;
  for (const [name, given] of Object.entries(value)) {
    const keyword = Object.hasOwn(KEYWORDS, name) ? KEYWORDS[name] : undefined;
    const fault = keyword
      ? (keyword.check(given) ?? misplacedFault(keyword, type))
      : `is not a keyword that is checked; they are ${Object.keys(KEYWORDS).join(", ")}${didYouMean(name, Object.keys(KEYWORDS))}`;
    if (fault !== null) report([name], fault);
    else if (name === "minimum" || name === "maximum") draft[name] = given as number;
    else if (name === "maxLength") draft.maxLength = given as number;
    else if (name === "pattern") draft.pattern = given as string;
    else if (name === "enum") draft.enum = (given as Scalar[]).filter((item) => item !== null);
  }
  checkAgreement(draft, report);
  return draft;
}

function parseType(value: Readonly<Record<string, unknown>>, report: Report): PropertyType | undefined {
  const given = value.type;
  const named = Array.isArray(given) ? given.filter((name) => name !== "null") : [given];
  const name = named.length === 1 ? named[0] : null;
  if (name === undefined) return value.format === undefined ? undefined : "timestamp";
  if (!(TYPES as readonly unknown[]).includes(name)) {
    report(
      ["type"],
      `must be one of ${TYPES.join(", ")}, or a list of one of them and "null", not ${describeType(given)}`,
    );
    return undefined;
  }
  return name === "string" && value.format === "date-time" ? "timestamp" : (name as PropertyType);
}

function misplacedFault(keyword: Keyword, type: PropertyType | undefined): string | null {
  if (type === undefined || keyword.types.includes(type)) return null;
  return `says nothing about type ${type}; it goes with ${keyword.types.join(" or ")}`;
}

function checkAgreement(draft: Draft, report: Report): void {
  if (draft.minimum !== undefined && draft.maximum !== undefined && draft.minimum > draft.maximum)
    report(
      ["minimum"],
      `is ${draft.minimum}, above the maximum of ${draft.maximum}: every row would be rejected`,
    );
  for (const item of draft.enum ?? [])
    if (!fitsType(item, draft.type))
      report(["enum"], `has ${describeValue(item)}, which is not of type ${draft.type}`);
}

function fitsType(item: Scalar, type: PropertyType | undefined): boolean {
  if (type === undefined) return true;
  if (type === "integer") return Number.isSafeInteger(item);
  if (type === "timestamp") return typeof item === "string" || typeof item === "number";
  return typeof item === type;
}

function numberFault(value: unknown): string | null {
  return isFiniteNumber(value) ? null : `must be a number, not ${describeValue(value)}`;
}

function lengthFault(value: unknown): string | null {
  return Number.isSafeInteger(value) && (value as number) >= 0
    ? null
    : `must be a whole number of at least 0, not ${describeValue(value)}`;
}

function textFault(value: unknown): string | null {
  return typeof value === "string" ? null : `must be a text, not ${describeValue(value)}`;
}

function formatFault(value: unknown): string | null {
  return value === "date-time"
    ? null
    : `must be "date-time", the one format that is checked, not ${describeValue(value)}`;
}

function enumFault(value: unknown): string | null {
  return Array.isArray(value) && value.every(isScalar) && value.some((item) => item !== null)
    ? null
    : `must be a list of values, not ${describeValue(value)}${Array.isArray(value) ? " that is empty or holds more than texts, numbers, true and false" : ""}`;
}

function patternFault(value: unknown): string | null {
  if (typeof value !== "string") return `must be a text, not ${describeValue(value)}`;
  try {
    new RegExp(value, "u");
    return null;
  } catch (error) {
    const reason = (error as Error).message.split(": ").at(-1);
    return `is not a regular expression (with the flag u): ${reason}`;
  }
}

function describeType(value: unknown): string {
  return Array.isArray(value) ? `a list of ${value.length}` : describeValue(value);
}
