import { quoteText } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";

/** A table's columns by their names in lower case; null where there is no such table. */
export function columnsOf(db: Connection, table: string): Map<string, FoundColumn> | null {
  const rows = db
    .prepare(
      `SELECT name, upper(type) AS type, "notnull", dflt_value IS NOT NULL AS has_default, pk, hidden
       FROM pragma_table_xinfo(${quoteText(table)}, 'main')`,
    )
    .safeIntegers(false)
    .all() as {
    name: string;
    type: string;
    notnull: number;
    has_default: number;
    pk: number;
    hidden: number;
  }[];
  if (rows.length === 0) return null;
  return new Map(
    rows.map((row) => [
      row.name.toLowerCase(),
      {
        type: row.type,
        notNull: row.notnull === 1,
        hasDefault: row.has_default === 1,
        primaryKeyPosition: row.pk,
        generated: row.hidden !== 0,
      },
    ]),
  );
}

export interface FoundColumn {
  readonly type: string;
  readonly notNull: boolean;
  readonly hasDefault: boolean;
  readonly primaryKeyPosition: number;
  readonly generated: boolean;
}
