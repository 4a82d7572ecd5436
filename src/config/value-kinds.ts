import * as z from "zod";
import type { Address } from "../core/types.ts";
import { describeValue, type Report } from "./problems.ts";
import { isFiniteNumber } from "./value-shapes.ts";

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

/** `host:port`, or a port of this machine alone. */
export function address(): ValueKind<Address> {
  return parsed((value, report) => {
    const [, host = "127.0.0.1", digits = ""] =
      /^(?:([^\s:]+|\[[0-9a-f:.]+\]):)?(\d{1,5})$/i.exec(
        typeof value === "object" ? "" : String(value).trim(),
      ) ?? [];
    const port = Number(digits);
    if (port < 1 || port > 65_535)
      report([], `must be host:port, or a port from 1 to 65535, not ${describeValue(value)}`);
    return { host: host.replace(/^\[|\]$/g, ""), port };
  });
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

/** A kind with a check of its own, which reports what is wrong; its texts stand for themselves. */
export function parsed<T>(parse: (value: unknown, report: Report) => T): ValueKind<T> {
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

const SECONDS_IN: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

function secondsOf(value: unknown): number | null {
  if (Number.isSafeInteger(value)) return value as number;
  if (typeof value !== "string") return null;
  const match = /^(\d{1,9}) ?([smhd])$/.exec(value.trim());
  return match ? Number(match[1]) * (SECONDS_IN[match[2] as string] as number) : null;
}
