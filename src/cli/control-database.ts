import { resolve } from "node:path";
import { UploaderError } from "../core/errors.ts";
import { type Connection, openDatabase } from "../sqlite/open.ts";

export interface DatabaseChoice {
  readonly db: string | undefined;
  readonly config: string | undefined;
}

/**
 * Runs `use` on the database that holds the control tables: `--db`, else what the configuration says.
 *
 * @throws {UploaderError} USAGE, CONFIG_INVALID, and what {@link openDatabase} throws
 */
export async function withControlDatabase<Result>(
  choice: DatabaseChoice,
  mode: "read" | "write",
  use: (db: Connection) => Result,
): Promise<Result> {
  const db = openDatabase(await databasePath(choice), { mode });
  try {
    return use(db);
  } finally {
    db.close();
  }
}

async function databasePath({ db, config }: DatabaseChoice): Promise<string> {
  if (db === "")
    throw new UploaderError({
      code: "USAGE",
      message: "--db is empty.",
      hint: "Give the path of the database.",
    });
  if (db !== undefined) return resolve(db);
  const { loadDatabasePath } = await import("../config/database-path.ts");
  return loadDatabasePath({ configPath: config, env: process.env, cwd: process.cwd() });
}
