import type { SqlValue } from "../core/types.ts";

/**
 * The JSON of `_rescued` for one row: an object from the source's column name to the value that its
 * column could not hold, so that what SQLite stored can be had back exactly:
 *
 * - integer: a JSON number without fraction or exponent (up to 64 bits: read it as such)
 * - real: a JSON number with fraction or exponent; an infinity is `{"real":"Infinity"}` or `"-Infinity"`
 * - text: a JSON string; text that is not valid in the database's encoding is `{"text":"<hex>"}`
 * - blob: `{"blob":"<hex>"}`
 */
export function rescuedJson(entries: readonly (readonly [column: string, json: string])[]): string {
  return `{${entries.map(([column, json]) => `${JSON.stringify(column)}:${json}`).join(",")}}`;
}

/** The JSON of one value that is not null. */
export function rescuedValue(value: Exclude<SqlValue, null>): string {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "string") return JSON.stringify(value);
  if (Buffer.isBuffer(value)) return `{"blob":"${value.toString("hex")}"}`;
  if (!Number.isFinite(value)) return `{"real":"${value}"}`;
  if (Object.is(value, -0)) return "-0.0";
  const text = String(value);
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** The JSON of text that is not valid in the database's encoding, from its bytes there. */
export function rescuedText(bytes: Uint8Array): string {
  return `{"text":"${Buffer.from(bytes).toString("hex")}"}`;
}
