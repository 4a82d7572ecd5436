import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { quoteName } from "../../src/sqlite/names.ts";
import type { CheckOptions } from "./invariants.ts";
import { filesBelow } from "./lake-place.ts";
import type { LakeObject } from "./lake-reader.ts";

/** I10 */
export function secretsIn(
  { database, controlDatabase, place, secrets, stateDir }: CheckOptions,
  printed: readonly string[],
  objects: readonly LakeObject[],
): string[] {
  const places: [string, () => Buffer | string][] = [
    ["what the uploader printed", () => printed.join("\n")],
    ["the control tables", () => controlTables(controlDatabase ?? database)],
    // With the outbox, and what was set aside or replaced.
    ...filesBelow(stateDir).map((name): [string, () => Buffer] => [
      name,
      () => readFileSync(join(stateDir, name)),
    ]),
    ...place.markers().map((path): [string, () => Buffer] => [path, () => readFileSync(path)]),
    ...objects.map(({ key, path }): [string, () => Buffer] => [key, () => readFileSync(path)]),
  ];
  return places.flatMap(([name, contents]) => {
    const found = contents();
    return secrets.filter((secret) => found.includes(secret)).map(() => `I10: a credential is in ${name}`);
  });
}

/** All that the uploader has written into the source's database. */
function controlTables(database: string): string {
  if (!existsSync(database)) return "";
  const db = new Database(database, { readonly: true });
  try {
    const tables = db
      .prepare("SELECT name FROM sqlite_schema WHERE name IN ('pipeline_config', 'pipeline_executions')")
      .pluck()
      .all() as string[];
    return tables
      .flatMap((table) =>
        db
          .prepare(`SELECT * FROM ${quoteName(table)}`)
          .raw()
          .all(),
      )
      .join("\n");
  } finally {
    db.close();
  }
}
