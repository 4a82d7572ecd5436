import { readFileSync } from "node:fs";
import { parse, stringify } from "yaml";
import { UploaderError } from "../../src/core/errors.ts";

/** The folder on the volume where the services meet: deploy/systemd says who may write there. */
const DATABASE_FOLDER = "/var/lib/sensor/";

interface Place {
  readonly prefix: string;
  readonly region: string;
}

/**
 * The uploader's configuration on the instances: the file, or what the sample sensor needs.
 *
 * @throws {UploaderError} CONFIG_INVALID where the file does not fit the fleet
 */
export function fleetConfig(path: string | undefined, place: Place): string {
  if (path === undefined)
    return stringify({
      sqlite: `${DATABASE_FOLDER}sensor_data.db`,
      sqlite_table: "sensor_readings",
      timestamp_col: "timestamp",
      s3_configuration: { enabled: true, ...place },
    });
  const text = readConfig(path);
  const faults = faultsOf(parseConfig(path, text), place);
  if (faults.length === 0) return text;
  throw new UploaderError({
    code: "CONFIG_INVALID",
    message: `${path} does not fit the fleet: ${faults.join("; ")}.`,
    hint: "Correct the file, --prefix or --region.",
  });
}

function readConfig(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "?";
    throw new UploaderError({ code: "CONFIG_INVALID", message: `${path} cannot be read: ${code}.` });
  }
}

interface Config {
  readonly sqlite?: unknown;
  readonly s3_configuration?: { readonly prefix?: unknown; readonly region?: unknown } | null;
}

function parseConfig(path: string, text: string): Config {
  try {
    const config: unknown = parse(text);
    if (typeof config === "object" && config !== null) return config as Config;
  } catch {
    // Said below, without the text of the file.
  }
  throw new UploaderError({ code: "CONFIG_INVALID", message: `${path} is not a YAML file of settings.` });
}

function faultsOf({ sqlite, s3_configuration: s3 }: Config, { prefix, region }: Place): string[] {
  const differs = (name: string, found: unknown, wanted: string) =>
    found === undefined || found === wanted ? [] : [`its s3_configuration.${name} is not ${wanted}`];
  return [
    ...(typeof sqlite === "string" && sqlite.startsWith(DATABASE_FOLDER)
      ? []
      : [`its sqlite is not in ${DATABASE_FOLDER}, which is on the volume`]),
    ...differs("prefix", s3?.prefix, prefix),
    ...differs("region", s3?.region, region),
  ];
}
