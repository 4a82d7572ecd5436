import { existsSync } from "node:fs";
import { resolve } from "node:path";
import { type ControlDatabase, loadControlDatabase } from "../config/database-path.ts";
import { UploaderError } from "../core/errors.ts";
import { DEFAULT_REVISION } from "../pipeline/revision.ts";
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
  const { path, isOurs } = await controlDatabase(choice);
  if (isOurs && mode === "read" && !existsSync(path))
    throw new UploaderError({
      code: "SOURCE_MISSING",
      message: `There is no database at ${path} yet, so the pipeline type is ${DEFAULT_REVISION.type}.`,
      hint: "The first run of uploader makes it, or `pipeline-manager set`.",
    });
  const db = openDatabase(path, { mode: isOurs && mode === "write" ? "create" : mode });
  try {
    return use(db);
  } finally {
    db.close();
  }
}

async function controlDatabase({ db, config }: DatabaseChoice): Promise<ControlDatabase> {
  if (db === "")
    throw new UploaderError({
      code: "USAGE",
      message: "--db is empty.",
      hint: "Give the path of the database.",
    });
  if (db !== undefined) return { path: resolve(db), isOurs: false };
  return loadControlDatabase({ configPath: config, env: process.env, cwd: process.cwd() });
}
