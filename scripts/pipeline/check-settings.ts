import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join, resolve } from "node:path";
import { parse, stringify } from "yaml";
import { loadSettings } from "../../src/config/load-settings.ts";
import type { SinkSettings } from "../../src/config/settings.ts";
import { UploaderError } from "../../src/core/errors.ts";
import type { CheckOptions } from "./check-options.ts";

/** Short, so that aggregates come soon. */
export const WINDOW_SECONDS = 2;

export interface CheckSettings {
  /** The file that was written for the programs. */
  readonly config: string;
  readonly database: string;
  /** What the programs get of this process's environment: nothing that would lead them to the user's own files. */
  readonly env: NodeJS.ProcessEnv;
  readonly sink: SinkSettings;
}

/** S3 and AWS, and what a network may need; SQLITE_PATH, STATE_DIR and the like would come before the file. */
const PASSED_ON =
  /^(AWS_.*|S3_.*|PATH|HOME|TMPDIR|NODE_EXTRA_CA_CERTS|SSL_CERT_(FILE|DIR)|(HTTPS?|NO)_PROXY)$/i;
const DEFAULT_CONFIG = "databricks-uploader-config.yaml";

/** @throws {UploaderError} CONFIG_INVALID where `--s3` is given and the buckets cannot be told */
export function writeCheckSettings(folder: string, node: string, options: CheckOptions): CheckSettings {
  const config = join(folder, "config.yaml");
  const database = join(folder, "sensor_data.db");
  writeFileSync(
    config,
    stringify({
      sqlite: database,
      sqlite_table: "sensor_readings",
      node_id: node,
      state_dir: join(folder, "state"),
      directory: join(folder, "lake"),
      interval: 1,
      schematized: { enrich: { site: "check" } },
      aggregated: { window: WINDOW_SECONDS },
      s3_configuration: options.s3
        ? { ...userS3Configuration(options.config), enabled: true }
        : { enabled: false, prefix: "check", region: "local" },
    }),
  );
  const env = options.s3 ? { ...passedOn(PASSED_ON), S3_ENABLED: "true" } : passedOn(/^(PATH|HOME|TMPDIR)$/);
  const { sink } = loadSettings({ argv: { config }, env, cwd: folder, hostname: hostname() });
  return { config, database, env, sink };
}

function passedOn(names: RegExp): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => names.test(name)));
}

/** What the user's configuration says of S3, found as the uploader finds it; nothing where there is no file. */
function userS3Configuration(given: string | undefined): object {
  const named = given ?? process.env.CONFIG_PATH;
  const path = resolve(named ?? DEFAULT_CONFIG);
  try {
    const document = parse(readFileSync(path, "utf8")) as { s3_configuration?: object } | null;
    return document?.s3_configuration ?? {};
  } catch (error) {
    if (named === undefined && (error as NodeJS.ErrnoException).code === "ENOENT") return {};
    throw new UploaderError({
      code: "CONFIG_INVALID",
      message: `${path} cannot be read: ${(error as Error).message.split("\n")[0]}.`,
      hint: "Correct the file, or name another one with --config.",
    });
  }
}
