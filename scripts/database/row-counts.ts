import { quoteName } from "../../src/sqlite/names.ts";
import type { Connection } from "../../src/sqlite/open.ts";

/** Rows by table, SQLite's own and virtual tables left out; in the order of their names. */
export function rowCounts(db: Connection): Map<string, number> {
  const counts = new Map<string, number>();
  for (const table of tableNames(db))
    counts.set(
      table,
      db
        .prepare(`SELECT count(*) FROM ${quoteName(table)}`)
        .pluck()
        .get() as number,
    );
  return counts;
}

function tableNames(db: Connection): string[] {
  return db
    .prepare(
      `SELECT name FROM pragma_table_list
       WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name`,
    )
    .pluck()
    .all() as string[];
}
