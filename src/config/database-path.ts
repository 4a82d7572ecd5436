import { UploaderError } from "../core/errors.ts";
import { type ConfigFileInput, loadConfigFile } from "./config-file.ts";
import { resolveSetting } from "./layers.ts";
import { type Problem, throwIfAny } from "./problems.ts";
import { SETTINGS } from "./setting-table.ts";

export interface ControlDatabase {
  /** Absolute. */
  readonly path: string;
  /** Whether it is `pipeline_db`, which is ours to make, rather than the sensor's database. */
  readonly isOurs: boolean;
}

/**
 * The database with the control tables, for programs that need nothing else: `pipeline_db`, else `sqlite`,
 * from the environment or the file. Other settings may be wrong or missing.
 *
 * @throws {UploaderError} CONFIG_INVALID where it is wrong, or the file is; USAGE where nothing names it
 */
export function loadControlDatabase(input: ConfigFileInput): ControlDatabase {
  const { pipelineDb, sqlite } = loadPaths(input);
  const path = pipelineDb ?? sqlite;
  if (path === null)
    throw noDatabase("Name it with --db FILE, in SQLITE_PATH, or as sqlite in a file that --config names.");
  return { path, isOurs: pipelineDb !== null && pipelineDb !== sqlite };
}

/**
 * The sensor's database alone, wherever the control tables are: `sqlite`, from the environment or the file.
 *
 * @returns an absolute path
 * @throws {UploaderError} as {@link loadControlDatabase}
 */
export function loadSourceDatabase(input: ConfigFileInput): string {
  const { sqlite } = loadPaths(input);
  if (sqlite === null)
    throw noDatabase("Name it as the last word, in SQLITE_PATH, or as sqlite in the configuration.");
  return sqlite;
}

function loadPaths(input: ConfigFileInput): { pipelineDb: string | null; sqlite: string | null } {
  const problems: Problem[] = [];
  const { file, broken } = loadConfigFile(input, problems);
  const layers = { argv: {}, env: input.env, file, cwd: input.cwd };
  const pipelineDb = resolveSetting(SETTINGS.pipelineDb, layers, problems);
  const sqlite = resolveSetting(SETTINGS.sqlite, layers, problems);
  if (broken || problems.length > 0) throwIfAny(problems);
  return { pipelineDb: pipelineDb.value, sqlite: sqlite.value };
}

function noDatabase(hint: string): UploaderError {
  return new UploaderError({ code: "USAGE", message: "No database is named.", hint });
}
