import type { SourceSchema } from "../core/types.ts";
import type { Connection } from "../sqlite/open.ts";
import type { Position } from "./continuity.ts";
import { digestOf, isOfNulls } from "./row-digest.ts";
import type { Compared } from "./same-rows.ts";

/** A row that was read for an object, as JSON in the object's footer. */
interface KnownRow {
  /** A decimal number, since JSON numbers need not hold 64 bits. */
  readonly rowid: string;
  /** What the digest is of, the timestamp or the key, and how it was declared. */
  readonly columns: readonly (readonly [name: string, declaredType: string])[];
  readonly digest: string;
}

/** For an object that holds no rows, or rows without a timestamp; null where the table has neither that nor a key. */
export function formatKnownRow(schema: SourceSchema, { rowid, basis, digest }: Position): string | null {
  if (basis.length === 0) return null;
  const known: KnownRow = { rowid: String(rowid), columns: declared(schema, basis), digest };
  return JSON.stringify(known);
}

/** Whether the row that `formatKnownRow` was given is still the one under its rowid. */
export function compareKnownRow(db: Connection, schema: SourceSchema, text: string | undefined): Compared {
  if (text === undefined) return { sameness: "unknown", rowid: null };
  const { rowid: digits, columns, digest }: KnownRow = JSON.parse(text);
  const rowid = BigInt(digits);
  const basis = columns.map(([name]) => name);
  // Of a column that was renamed or retyped the values may be others, and the rows the same.
  const isAsItWas = JSON.stringify(declared(schema, basis)) === JSON.stringify(columns);
  const found = isAsItWas && !isOfNulls(digest, basis) ? digestOf(db, schema, rowid, basis) : null;
  if (found === null) return { sameness: "unknown", rowid: null };
  return { sameness: found === digest ? "same" : "other", rowid };
}

/** Of the columns that are there, as the table has them in order. */
function declared({ columns }: SourceSchema, names: readonly string[]): KnownRow["columns"] {
  return columns
    .filter(({ name }) => names.includes(name))
    .map(({ name, declaredType }) => [name, declaredType]);
}
