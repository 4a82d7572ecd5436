import type { Connection } from "./open.ts";
import { timestampMicros } from "./timestamp-micros.ts";

/**
 * Gives a connection the functions that queries use. None of them is ever an error, whatever it is given.
 *
 * - `timestamp_micros(value)`: {@link timestampMicros}
 * - `matches_pattern(value, pattern)`: {@link matchesPattern}
 * - `number_of_text(text)`, `integer_of_text(text)`: {@link numberOfText}, {@link integerOfText}
 * - `character_count(text)`: {@link characterCount}
 * - `well_formed(text)`: {@link wellFormed}
 */
export function registerFunctions(db: Connection): void {
  const options = { deterministic: true, directOnly: true, safeIntegers: true };
  db.function("timestamp_micros", options, (value) => timestampMicros(value));
  db.function("matches_pattern", options, (value, pattern) => (matchesPattern(value, pattern) ? 1n : 0n));
  db.function("number_of_text", options, (text) => numberOfText(text));
  db.function("integer_of_text", options, (text) => integerOfText(text));
  db.function("character_count", options, (text) => characterCount(text));
  db.function("well_formed", options, (text) => wellFormed(text));
}

const patterns = new Map<string, RegExp | null>();

/**
 * Whether text matches an ECMA-262 pattern somewhere, with the `u` flag, as JSON Schema has it. What is not
 * text does not match, nor does anything match a pattern that is not valid or cannot be run to its end.
 */
export function matchesPattern(value: unknown, pattern: unknown): boolean {
  if (typeof value !== "string" || typeof pattern !== "string") return false;
  let compiled = patterns.get(pattern);
  if (compiled === undefined) {
    compiled = compilePattern(pattern);
    patterns.set(pattern, compiled);
  }
  try {
    return compiled?.test(value) ?? false;
  } catch {
    return false; // V8's stack of backtracking positions is full
  }
}

/** The expression that {@link matchesPattern} uses; null where the pattern is not valid. */
export function compilePattern(pattern: string): RegExp | null {
  try {
    return new RegExp(pattern, "u");
  } catch {
    return null;
  }
}

const JSON_NUMBER = /^[ \t\n\r]*(-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?)[ \t\n\r]*$/;

/** `-9223372036854775808` */
const LONGEST_INTEGER = 20;

/** The double that the text of a JSON number stands for; null for other text, and for an integer it cannot hold. */
export function numberOfText(text: unknown): number | null {
  const match = typeof text === "string" ? JSON_NUMBER.exec(text) : null;
  if (!match) return null;
  const number = Number(match[1]);
  if (!Number.isFinite(number)) return null;
  const isInteger = match[2] === undefined && match[3] === undefined;
  return isInteger && BigInt(number) !== BigInt(match[1] as string) ? null : number;
}

/** The whole number of 64 bits that the text of a JSON number stands for; null for other text. */
export function integerOfText(text: unknown): bigint | null {
  const match = typeof text === "string" ? JSON_NUMBER.exec(text) : null;
  if (!match) return null;
  if (match[2] !== undefined || match[3] !== undefined) {
    const number = Number(match[1]);
    return Number.isSafeInteger(number) ? BigInt(number) : null;
  }
  const digits = match[1] as string;
  if (digits.length > LONGEST_INTEGER) return null;
  const integer = BigInt(digits);
  return BigInt.asIntN(64, integer) === integer ? integer : null;
}

/** The code points of a text, where SQLite's `length()` stops at NUL. */
export function characterCount(text: unknown): bigint | null {
  if (typeof text !== "string") return null;
  let count = 0;
  for (let at = 0; at < text.length; at += 1) {
    const isPair = (text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00;
    if (isPair) at += 1;
    count += 1;
  }
  return BigInt(count);
}

/** Text as it is, with U+FFFD for bytes that are not valid in its encoding, which the way into JavaScript puts there. */
export function wellFormed(text: unknown): string | null {
  return typeof text === "string" ? text : null;
}
