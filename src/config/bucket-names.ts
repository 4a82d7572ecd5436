import { PIPELINE_TYPES, type PipelineType } from "../core/types.ts";

/** `{prefix}-databricks-{type}-{region}` */
export function derivedBucketName(prefix: string, type: PipelineType, region: string): string {
  return `${prefix}-databricks-${type}-${region}`;
}

/** The names of all types: as given, else derived; null where one is not given and cannot be derived. */
export function bucketNames(
  given: Readonly<Record<PipelineType, string | null>>,
  prefix: string | null,
  region: string | null,
): Record<PipelineType, string | null> {
  const names = {} as Record<PipelineType, string | null>;
  for (const type of PIPELINE_TYPES)
    names[type] =
      given[type] ?? (prefix === null || region === null ? null : derivedBucketName(prefix, type, region));
  return names;
}

const RESERVED_PREFIXES = ["xn--", "sthree-", "amzn-s3-demo-"];
const RESERVED_SUFFIXES = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];

/**
 * What is wrong with a bucket's name, or null.
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
 */
export function bucketNameFault(name: string): string | null {
  if (name.length < 3 || name.length > 63) return `must have 3 to 63 characters, not ${name.length}`;
  if (!/^[a-z0-9.-]+$/.test(name)) return "may hold only lower-case letters, digits, dots and hyphens";
  if (!/^[a-z0-9].*[a-z0-9]$/.test(name)) return "must begin and end with a letter or a digit";
  if (name.includes("..")) return "must not hold two dots in a row";
  if (/^\d+\.\d+\.\d+\.\d+$/.test(name)) return "must not look like an IP address";
  const prefix = RESERVED_PREFIXES.find((reserved) => name.startsWith(reserved));
  if (prefix) return `must not begin with ${prefix}, which AWS reserves`;
  const suffix = RESERVED_SUFFIXES.find((reserved) => name.endsWith(reserved));
  if (suffix) return `must not end with ${suffix}, which AWS reserves`;
  return null;
}
