import { z } from "zod";
import type { Condition, Scalar } from "../core/types.ts";
import { bucketNameFault } from "./bucket-names.ts";
import { parseCondition } from "./condition-schema.ts";
import { credentialName, looksLikeCredential } from "./credentials.ts";
import { describeValue, type Report } from "./problems.ts";
import { isFiniteNumber, isMapping, repeatedName } from "./value-shapes.ts";

/** What a setting can be: the check of its value, and how the text of a flag or variable becomes one. */
export interface ValueKind<T> {
  /** Takes the value as it stands in the YAML. */
  readonly schema: z.ZodType<T>;
  /** The value that a text stands for; the text itself where it stands for none. */
  readonly fromText: (text: string) => unknown;
}

/** Text without control characters; `what` says in the message what it is for. */
export function text(what: string, longest = 200): ValueKind<string> {
  return parsed((value, report) => {
    if (typeof value !== "string" || value.trim() === "")
      report(
        [],
        `must be ${what}, not ${describeValue(value)}${isFiniteNumber(value) ? "; put quotes around it" : ""}`,
      );
    else if (value.length > longest) report([], `must be ${what}, of at most ${longest} characters`);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
    else if (/[\u0000-\u001f\u007f]/.test(value)) report([], `must be ${what}, without control characters`);
    return value as string;
  });
}

/** A path; it stays as written here, and is made absolute where its origin is known. */
export function path(what: string): ValueKind<string> {
  return text(`the path of ${what}`, 4096);
}

export function number(limits: { min: number; max: number; integer?: boolean }): ValueKind<number> {
  const { min, max, integer = false } = limits;
  const error = (issue: { input?: unknown }): string =>
    `must be a ${integer ? "whole number" : "number"} from ${min} to ${max}, not ${describeValue(issue.input)}`;
  const range = z.number({ error }).min(min, { error }).max(max, { error });
  return { schema: integer ? range.int({ error }) : range, fromText: numberFromText };
}

export function boolean(): ValueKind<boolean> {
  const error = (issue: { input?: unknown }): string =>
    `must be true or false, not ${describeValue(issue.input)}`;
  return { schema: z.boolean({ error }), fromText: booleanFromText };
}

export function choice<const T extends string>(options: readonly T[]): ValueKind<T> {
  const error = (issue: { input?: unknown }): string =>
    `must be one of ${options.join(", ")}, not ${describeValue(issue.input)}`;
  const fromText = (given: string): string =>
    options.find((option) => option.toLowerCase() === given.toLowerCase()) ?? given;
  return { schema: z.enum(options, { error }), fromText };
}

/** Whole seconds, or a text such as `60s`, `5m`, `1h`, `1d`. */
export function durationSeconds(limits: { min: number; max: number }): ValueKind<number> {
  const { min, max } = limits;
  return parsed((value, report) => {
    const seconds = secondsOf(value);
    if (seconds === null || seconds < min || seconds > max)
      report(
        [],
        `must be a whole number of seconds from ${min} to ${max}, or a text such as 60s, 5m or 1h, not ${describeValue(value)}`,
      );
    return seconds ?? 0;
  });
}

/** Names of columns, each once. */
export function columns(): ValueKind<readonly string[]> {
  return parsed((value, report) => checkNames(value, "columns", report));
}

/** The name of a table, a list of names, or `*` for all. */
export function tables(): ValueKind<readonly string[] | "*"> {
  const kind = parsed<readonly string[] | "*">((value, report) => {
    if (value === "*") return value;
    const names = checkNames(typeof value === "string" ? [value] : value, "tables", report);
    if (names.length === 0 && Array.isArray(value) && value.length === 0)
      report([], 'must be a table, a list of tables or "*", not an empty list');
    if (names.length > 1 && names.includes("*")) report([], 'names "*", which is all tables, beside others');
    return names.includes("*") ? "*" : names;
  });
  return { ...kind, fromText: tablesFromText };
}

export function bucketName(): ValueKind<string> {
  return parsed((value, report) => {
    if (typeof value !== "string" || value === "") {
      report([], `must be the name of a bucket, not ${describeValue(value)}`);
      return "";
    }
    const fault = bucketNameFault(value);
    if (fault !== null) report([], `${fault} (bucket ${describeValue(value)})`);
    return value;
  });
}

/** A region as it stands in names of buckets; other S3 servers have names of their own for theirs. */
export function region(): ValueKind<string> {
  return parsed((value, report) => {
    if (typeof value !== "string" || !/^[a-z0-9][a-z0-9-]{0,31}$/.test(value))
      report([], `must be a region such as us-west-2, not ${describeValue(value)}`);
    return value as string;
  });
}

/** An address of a server. It is never shown, because it may hold a password. */
export function endpoint(): ValueKind<string> {
  return parsed((value, report) => {
    const url = typeof value === "string" && URL.canParse(value) ? new URL(value) : null;
    if (!url || (url.protocol !== "http:" && url.protocol !== "https:"))
      report([], "must be a URL such as https://s3.example.com");
    else if (url.username !== "" || url.password !== "")
      report([], "must not hold a user or a password; leave credentials to AWS's default chain");
    else if (url.search !== "" || url.hash !== "") report([], "must end before any ? or #");
    return value as string;
  });
}

export function condition(): ValueKind<Condition> {
  return parsed((value, report) => parseCondition(value, report) as Condition);
}

/** Constant columns by name. */
export function constants(): ValueKind<Readonly<Record<string, Scalar>>> {
  return parsed((value, report) => {
    const constants: Record<string, Scalar> = Object.create(null);
    if (!isMapping(value)) {
      report([], `must be a mapping of names to texts, numbers, true or false, not ${describeValue(value)}`);
      return constants;
    }
    for (const [name, constant] of Object.entries(value)) {
      // Refused already, with everything else of that kind, by config-file.ts.
      if (looksLikeCredential(name)) continue;
      const fault = columnNameFault(name);
      if (fault !== null) report([name], fault);
      if (typeof constant !== "string" && typeof constant !== "boolean" && !isFiniteNumber(constant))
        report([name], `must be a text, a number, true or false, not ${describeValue(constant)}`);
      else constants[name] = constant;
    }
    const repeated = repeatedName(Object.keys(value));
    if (repeated !== null)
      report([credentialName(repeated)], "is there twice; case makes no difference in names of columns");
    return constants;
  });
}

/** A path, or a mapping; schematized-schemas.ts reads and checks what is behind it. */
export function schemaOrPath(): ValueKind<string | Readonly<Record<string, unknown>>> {
  return parsed((value, report) => {
    if (!isMapping(value) && (typeof value !== "string" || value.trim() === ""))
      report([], `must be the path of a JSON or YAML file, or a schema, not ${describeValue(value)}`);
    return value as string | Readonly<Record<string, unknown>>;
  });
}

function parsed<T>(parse: (value: unknown, report: Report) => T): ValueKind<T> {
  const schema = z.unknown().transform((value, context): T => {
    let faults = 0;
    const result = parse(value, (path, message) => {
      faults += 1;
      context.addIssue({ code: "custom", message, path: [...path] });
    });
    return faults === 0 ? result : z.NEVER;
  });
  return { schema, fromText: (given) => given };
}

function checkNames(value: unknown, what: string, report: Report): string[] {
  if (!Array.isArray(value)) {
    report([], `must be a list of ${what}, not ${describeValue(value)}`);
    return [];
  }
  const names: string[] = [];
  for (const [index, name] of value.entries()) {
    if (typeof name !== "string" || name.trim() === "")
      report(
        [index],
        `must be a name, not ${describeValue(name)}${isFiniteNumber(name) ? "; put quotes around it" : ""}`,
      );
    else names.push(name);
  }
  const repeated = repeatedName(names);
  if (repeated !== null) report([], `names ${describeValue(repeated)} twice`);
  return names;
}

/** Rules for the names of columns of objects: docs/OBJECTS.md. */
function columnNameFault(name: string): string | null {
  if (/[ ,;{}()\n\t=]/.test(name))
    return "must be free of blanks, tabs, line breaks and , ; { } ( ) =, which Spark refuses";
  if (name.startsWith("_")) return "must not begin with _, as the uploader's own columns do";
  return name.toLowerCase() === "ingest_date" ? "is the name of the partition column" : null;
}

function numberFromText(given: string): unknown {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(given.trim()) ? Number(given) : given;
}

const BOOLEAN_TEXTS = new Map([
  ["true", true],
  ["1", true],
  ["yes", true],
  ["false", false],
  ["0", false],
  ["no", false],
]);

function booleanFromText(given: string): unknown {
  return BOOLEAN_TEXTS.get(given.trim().toLowerCase()) ?? given;
}

function tablesFromText(given: string): unknown {
  const names = given.split(",").map((name) => name.trim());
  return names.length === 1 ? names[0] : names;
}

const SECONDS_IN: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

function secondsOf(value: unknown): number | null {
  if (Number.isSafeInteger(value)) return value as number;
  if (typeof value !== "string") return null;
  const match = /^(\d{1,9}) ?([smhd])$/.exec(value.trim());
  return match ? Number(match[1]) * (SECONDS_IN[match[2] as string] as number) : null;
}
