import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UploaderError } from "../../src/core/errors.ts";

export interface UserDataOptions {
  readonly fleet: string;
  readonly region: string;
  readonly volume: string;
  /** Where git fetches the project from, without credentials. */
  readonly repository: string;
  /** A commit or tag. */
  readonly revision: string;
  /** Whether the sample sensor writes the database. */
  readonly sensor: boolean;
  /** The uploader's YAML. */
  readonly config: string;
}

/** https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-add-user-data.html */
const MOST_BYTES = 16_384;

/**
 * The script that an instance runs first: scripts/spot/user-data.sh with what it needs to know.
 *
 * @throws {UploaderError} CONFIG_INVALID where EC2 would not take it
 */
export function userData(options: UserDataOptions): string {
  const script = readFileSync(join(import.meta.dirname, "user-data.sh"), "utf8");
  const [shebang = "", ...body] = script.split("\n");
  const assignments = Object.entries({
    FLEET: options.fleet,
    REGION: options.region,
    VOLUME: options.volume,
    REPOSITORY: options.repository,
    REVISION: options.revision,
    SENSOR: String(options.sensor),
    CONFIG: Buffer.from(options.config).toString("base64"),
  }).map(([name, value]) => `${name}=${quoted(value)}`);
  const text = [shebang, ...assignments, ...body].join("\n");
  if (Buffer.byteLength(text) <= MOST_BYTES) return text;
  throw new UploaderError({
    code: "CONFIG_INVALID",
    message: `The configuration is too long by ${Buffer.byteLength(text) - MOST_BYTES} bytes for EC2, in base64.`,
    hint: "Shorten the file that --config names; comments count too.",
  });
}

/** A word of the shell, whatever is in it. */
function quoted(value: string): string {
  return `'${value.replaceAll("'", "'\\''")}'`;
}
