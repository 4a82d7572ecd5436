import { existsSync } from "node:fs";
import Database from "better-sqlite3";
import { quoteName } from "../../src/sqlite/names.ts";

/** All that the uploader has written into the source's database, or into the one that is named instead. */
export function describeControlTables(database: string): string {
  if (!existsSync(database)) return "";
  const db = new Database(database, { readonly: true });
  try {
    const tables = db
      .prepare(
        "SELECT name FROM sqlite_schema WHERE name IN ('pipeline_config', 'pipeline_executions') ORDER BY name",
      )
      .pluck()
      .all() as string[];
    return tables
      .flatMap((table) => [
        table,
        ...db
          .prepare(`SELECT * FROM ${quoteName(table)} ORDER BY id`)
          .raw()
          .all(),
      ])
      .join("; ");
  } finally {
    db.close();
  }
}
