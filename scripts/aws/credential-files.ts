import { readFileSync } from "node:fs";
import { parse } from "yaml";
import { bucketNameFault, derivedBucketName } from "../../src/config/bucket-names.ts";
import { UploaderError } from "../../src/core/errors.ts";
import { isPipelineType, PIPELINE_TYPES, type PipelineType } from "../../src/core/types.ts";
import { assertRegion } from "./connection.ts";

/** Names of environment variables and their values. */
export type Variables = Readonly<Record<string, string>>;

/** Of the AWS SDK's own; their values are never printed. */
export const SECRET_NAMES = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];

const KEY_FILE_NAMES = [...SECRET_NAMES, "AWS_REGION", "AWS_DEFAULT_REGION"];

/**
 * The variables of a file with lines `export NAME="value"`. Nothing in it is executed.
 *
 * @param path as it stands in errors, which never repeat a line
 * @throws {UploaderError} CONFIG_INVALID
 */
export function readKeyFile(path: string): Variables {
  const found: Record<string, string> = {};
  readText(path)
    .split(/\r?\n/)
    .forEach((line, index) => {
      if (/^\s*(#|$)/.test(line)) return;
      const [, name = "", text = ""] = /^\s*(?:export\s+)?([A-Za-z_]\w*)=(.*)$/.exec(line) ?? [];
      const value = unquote(text.trim());
      if (name === "" || value === null)
        throw invalid(`${path}, line ${index + 1}, is not of the form export NAME="value"`);
      if (!KEY_FILE_NAMES.includes(name))
        throw invalid(
          `${path}, line ${index + 1}, sets ${name}; only ${KEY_FILE_NAMES.join(", ")} are expected there`,
        );
      if (value !== "") found[name] = checked(value, `${name} in ${path}`);
    });
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
    if (!found[name]) throw invalid(`${name} is missing in ${path}`);
  return found;
}

/**
 * The variables that say the same as a file of the form
 *
 *     s3_bucket_prefix: "your-company"
 *     s3_region: "us-west-2"
 *     s3_buckets: { raw: "your-company-databricks-raw-us-west-2", … }
 *
 * where the prefix or all buckets are enough; each bucket gets its variable either way.
 *
 * @throws {UploaderError} CONFIG_INVALID
 */
export function readBucketFile(path: string): Variables {
  const values = readMapping(path);
  const { s3_bucket_prefix: prefix, s3_region: region, s3_buckets: buckets = {}, ...others } = values;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined)
    throw invalid(`${unknown} in ${path} is not known; it may hold s3_bucket_prefix, s3_region, s3_buckets`);
  const text = (value: unknown, key: string) => {
    if (typeof value === "string" && value !== "") return checked(value, `${key} in ${path}`);
    throw invalid(`${key} in ${path} is missing, or is no text`);
  };
  if (!isMapping(buckets)) throw invalid(`s3_buckets in ${path} is not a list of types and names`);
  const stranger = Object.keys(buckets).find((type) => !isPipelineType(type));
  if (stranger !== undefined)
    throw invalid(`s3_buckets.${stranger} in ${path} is not one of ${PIPELINE_TYPES.join(", ")}`);
  const S3_REGION = text(region, "s3_region");
  assertRegion(S3_REGION);
  const needsPrefix = PIPELINE_TYPES.some((type) => buckets[type] === undefined);
  const S3_BUCKET_PREFIX = prefix === undefined && !needsPrefix ? null : text(prefix, "s3_bucket_prefix");
  return {
    S3_REGION,
    ...(S3_BUCKET_PREFIX === null ? {} : { S3_BUCKET_PREFIX }),
    ...Object.fromEntries(
      PIPELINE_TYPES.map((type) => {
        const name =
          buckets[type] === undefined
            ? derivedBucketName(S3_BUCKET_PREFIX ?? "", type, S3_REGION)
            : text(buckets[type], `s3_buckets.${type}`);
        const fault = bucketNameFault(name);
        if (fault) throw invalid(`${name}, the bucket of ${type} by ${path}, ${fault}`);
        return [bucketVariable(type), name];
      }),
    ),
  };
}

/** The variable in which the uploader finds the name of a type's bucket. */
export function bucketVariable(type: PipelineType): string {
  return `S3_BUCKET_${type.toUpperCase()}`;
}

function readMapping(path: string): Record<string, unknown> {
  let values: unknown;
  try {
    values = parse(readText(path), { maxAliasCount: 0 });
  } catch (error) {
    if (error instanceof UploaderError) throw error;
    throw invalid(`${path} is not YAML`);
  }
  if (!isMapping(values)) throw invalid(`${path} has no keys`);
  return values;
}

function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** What a shell would make of a word that needs nothing executed; null where it does, or where it is unclear. */
function unquote(text: string): string | null {
  const [, single, double, plain] =
    /^(?:'([^']*)'|"([^"\\$`]*)"|([^\s'"\\$`;&|<>()#*?~]*))\s*(?:\s#.*)?$/.exec(text) ?? [];
  return single ?? double ?? plain ?? null;
}

/** `.env` is read by shells and by compose, which agree on these alone. */
function checked(value: string, what: string): string {
  if (/^[\w./+=:@,-]*$/.test(value)) return value;
  throw invalid(`${what} has characters that no key, region or bucket has`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw invalid(`${path} cannot be read: ${code === "ENOENT" ? "it is not there" : code}`);
  }
}

function invalid(message: string): UploaderError {
  return new UploaderError({
    code: "CONFIG_INVALID",
    message: `${message}.`,
    hint: "docs/AWS.md shows both files. Nothing was written.",
  });
}
