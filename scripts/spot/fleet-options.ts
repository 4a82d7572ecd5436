import { UploaderError } from "../../src/core/errors.ts";

const { env } = process;

/** Of all commands. The environment is what ./set-environment.sh exports, so that the commands can stand alone. */
export const FLEET_OPTIONS = {
  name: { type: "string", default: "databricks-uploader", description: "The fleet, and its node" },
  region: {
    type: "string",
    demandOption: true,
    description: "Its region, such as us-west-2 [S3_REGION, AWS_REGION]",
    ...fromEnvironment("S3_REGION", "AWS_REGION"),
  },
} as const;

/** Small machines of one architecture, in as many pools of spare capacity as there are. */
const INSTANCE_TYPES = "t4g.small,t4g.medium,c6g.medium,c7g.medium,m6g.medium,m7g.medium";

export const CREATE_OPTIONS = {
  prefix: {
    type: "string",
    demandOption: true,
    description: "Buckets are named {prefix}-databricks-{type}-{region} [S3_BUCKET_PREFIX, S3_PREFIX]",
    ...fromEnvironment("S3_BUCKET_PREFIX", "S3_PREFIX"),
  },
  "instance-types": {
    type: "string",
    default: INSTANCE_TYPES,
    description: "Of one architecture; EC2 takes the one with most spare capacity",
  },
  "volume-size": { type: "number", default: 20, description: "GiB for database, state and outbox" },
  subnet: {
    type: "string",
    description: "From which the internet is reached [default: the default subnet of a zone]",
  },
  repository: {
    type: "string",
    description: "https address of the project, without credentials [default: this clone's origin]",
  },
  revision: {
    type: "string",
    description: "Commit or tag that the instances install [default: this clone's commit]",
  },
  config: { type: "string", description: "The uploader's YAML [default: what the sample sensor needs]" },
  sensor: {
    type: "boolean",
    default: true,
    description: "Run the sample sensor too; --no-sensor: another program writes the database",
  },
  "session-manager": {
    type: "boolean",
    default: false,
    description: "Let Session Manager open a shell on the instance",
  },
  "kms-key": { type: "string", description: "ARN of the KMS key that the buckets are encrypted with" },
  "replace-instance": {
    type: "boolean",
    default: false,
    description: "End the instance that runs, so that the next one has what was changed",
  },
} as const;

/** yargs would take `default: undefined` for a value. */
function fromEnvironment(...names: string[]): { readonly default?: string } {
  const value = names.map((name) => env[name]).find((found) => found);
  return value === undefined ? {} : { default: value };
}

/** @throws {UploaderError} CONFIG_INVALID */
export function instanceTypesOf(list: string): string[] {
  const types = [...new Set(list.split(",").map((type) => type.trim()))];
  if (types.every((type) => /^[a-z][a-z0-9-]*\.[a-z0-9-]+$/.test(type))) return types;
  throw new UploaderError({
    code: "CONFIG_INVALID",
    message: `--instance-types ${JSON.stringify(list)} is not a list of types.`,
    hint: "Name them with commas between: t4g.small,c7g.medium.",
  });
}

/** @throws {UploaderError} CONFIG_INVALID */
export function positive(option: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new UploaderError({ code: "CONFIG_INVALID", message: `${option} is not a whole number above 0.` });
}
