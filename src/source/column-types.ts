import type { ColumnType } from "../core/types.ts";

/**
 * What raw ships a column as, from its declared type: first the names that say more than an affinity
 * (BOOLEAN; DATE, DATETIME, TIMESTAMP), then SQLite's affinity rules in their order
 * (https://sqlite.org/datatype3.html#determination_of_column_affinity). The values that are stored have no
 * say: a column's type must not change from one object to the next.
 */
export function columnType(declaredType: string): ColumnType {
  const declared = declaredType.toUpperCase();
  if (declared === "") return "string";
  if (declared.includes("BOOL")) return "boolean";
  if (/^(DATE|DATETIME|TIME|TIMESTAMP)\b/.test(declared)) return "string";
  if (declared.includes("INT")) return "int64";
  if (/CHAR|CLOB|TEXT/.test(declared)) return "string";
  if (declared.includes("BLOB")) return "binary";
  return "double";
}
