import type { SqlValue } from "../core/types.ts";

/**
 * The JSON of `_rescued` for one row: an object from the source's column name to the value that its
 * column could not hold, so that what SQLite stored can be had back exactly:
 *
 * - integer: a JSON number without fraction or exponent (up to 64 bits: read it as such)
 * - real: a JSON number with fraction or exponent; an infinity is `{"real":"Infinity"}` or `"-Infinity"`
 * - text: a JSON string; text that is not valid in the database's encoding is `{"text":"<hex>"}`
 * - blob: `{"blob":"<hex>"}`
 * - a text or blob that is too large to be shipped, of which only this is known: `{"omitted":"text","bytes":700000000}`
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

/** The JSON of a value that is left out because of its size. */
export function omittedValue(type: "text" | "blob", bytes: number): string {
  return `{"omitted":"${type}","bytes":${bytes}}`;
}

/** As {@link rescuedValue}, or null where the JSON of a long value may be longer than `maxLength`. */
export function rescuedValueWithin(value: Exclude<SqlValue, null>, maxLength: number): string | null {
  const length = typeof value === "string" || Buffer.isBuffer(value) ? value.length : 0;
  // In hex, or with the escapes of JSON.
  if (length > maxLength / 2) return null;
  const json = rescuedValue(value);
  return json.length > maxLength ? null : json;
}
