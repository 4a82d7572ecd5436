import { hash } from "node:crypto";
import type { SourceSchema } from "../core/types.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";

const LONG_BYTES = 1_000_000;

/** What a row is known by: the timestamp, else the key, never columns that a sensor may update later. */
export function digestBasis(schema: SourceSchema): string[] {
  if (schema.timestampColumn !== null) return [schema.timestampColumn];
  return schema.columns
    .filter(({ primaryKeyPosition, name }) => primaryKeyPosition > 0 && name !== schema.rowidName)
    .map(({ name }) => name);
}

/** Of the values of these columns; null where the row is gone. */
export function digestOf(
  db: Connection,
  schema: SourceSchema,
  rowid: bigint,
  basis: readonly string[],
): string | null {
  const sql = `SELECT ${valuesOf(basis)} FROM main.${quoteName(schema.table)}
    WHERE ${quoteName(schema.rowidName)} = ?`;
  const row = db.prepare(sql).raw().get(rowid) as unknown[] | undefined;
  return row === undefined ? null : digestOfValues(row);
}

/**
 * The columns that `digestOfValues` takes: texts of SQL, a value longer than `longBytes` by its length. Not one text,
 * since SQLite lets expressions be nested 1,000 deep, and a table have more columns.
 */
export function valuesOf(columns: readonly string[], longBytes = LONG_BYTES): string {
  return columns.length === 0
    ? "''"
    : columns.map((column) => quoted(quoteName(column), longBytes)).join(", ");
}

/** 128 bits in hex. */
export function digestOfValues(values: readonly unknown[]): string {
  return hash("sha256", values.join(",")).slice(0, 32);
}

/** Whether a digest is of nothing but NULLs, which any two rows may have in common. */
export function isOfNulls(digest: string, basis: readonly string[]): boolean {
  return digest === digestOfValues(basis.map(() => "NULL"));
}

/** A long value by its length, since its text could be longer than SQLite hands out. */
function quoted(column: string, longBytes: number): string {
  return `CASE WHEN octet_length(${column}) > ${longBytes} THEN octet_length(${column}) ELSE quote(${column}) END`;
}
