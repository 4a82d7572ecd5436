import { isInsecure } from "../core/transport.ts";
import { PIPELINE_TYPES, type PipelineType } from "../core/types.ts";
import { bucketNameFault, bucketNames } from "./bucket-names.ts";
import type { Resolved, ResolvedSettings } from "./layers.ts";
import type { Problem } from "./problems.ts";
import { settingKey } from "./setting.ts";
import { SETTINGS } from "./setting-table.ts";
import type { BucketNames, SinkSettings } from "./settings.ts";

/** Stands for prefix and region in the names of folders, which need not differ from everyone else's. */
const LOCAL = "local";

/** Puts the settings of the sink together; what is missing or contradictory is reported. */
export function sinkSettings(resolved: ResolvedSettings, problems: Problem[]): SinkSettings {
  const { directory, s3Enabled } = resolved;
  // Where it is not known whether S3 is meant, nothing can be said to be missing.
  if (directory.from === "flag" || !s3Enabled.value || !s3Enabled.valid)
    return {
      kind: "directory",
      directory: directory.value,
      buckets: checkedBuckets(resolved, resolved.prefix.value ?? LOCAL, folderRegion(resolved), problems),
    };
  checkEncryption(resolved, problems);
  requireRegion(resolved, problems);
  checkEndpoint(resolved, problems);
  const { region, endpoint } = resolved;
  return {
    kind: "s3",
    region: region.value ?? "",
    endpoint: endpoint.value,
    allowInsecureEndpoint: resolved.allowInsecureEndpoint.value,
    forcePathStyle: resolved.forcePathStyle.value ?? endpoint.value !== null,
    sse: resolved.sse.value,
    kmsKeyId: resolved.kmsKeyId.value,
    storageClass: resolved.storageClass.value,
    conditionalWrites: resolved.conditionalWrites.value,
    buckets: checkedBuckets(resolved, resolved.prefix.value, region.value, problems),
  };
}

/**
 * AWS_REGION is set on many machines for other programs; if it were part of the names of folders, its coming
 * and going would change the destination.
 */
function folderRegion({ region }: ResolvedSettings): string {
  return region.value === null || region.origin === "environment variable AWS_REGION" ? LOCAL : region.value;
}

function requireRegion({ region, s3Enabled }: ResolvedSettings, problems: Problem[]): void {
  if (region.from !== "default") return;
  problems.push({
    key: settingKey(SETTINGS.region),
    message:
      "is required to ship to S3; set it in the file, or in S3_REGION or AWS_REGION (or ship to a folder: --directory DIR, or s3_configuration.enabled: false)",
    origin: s3Enabled.origin,
  });
}

function checkEndpoint({ endpoint, allowInsecureEndpoint }: ResolvedSettings, problems: Problem[]): void {
  if (endpoint.value === null || allowInsecureEndpoint.value || !allowInsecureEndpoint.valid) return;
  if (!isInsecure(new URL(endpoint.value))) return;
  problems.push({
    key: settingKey(SETTINGS.endpoint),
    message: `must be an https URL, since it is on another machine; without TLS rows can be read on the way (s3_configuration.allow_insecure_endpoint: true allows it)`,
    origin: endpoint.origin,
  });
}

function checkEncryption({ kmsKeyId, sse }: ResolvedSettings, problems: Problem[]): void {
  if (kmsKeyId.value === null || sse.value === "aws:kms" || !sse.valid) return;
  problems.push({
    key: settingKey(SETTINGS.kmsKeyId),
    message: "needs s3_configuration.sse: aws:kms; without that the key would not be used",
    origin: kmsKeyId.origin,
  });
}

function checkedBuckets(
  resolved: ResolvedSettings,
  prefix: string | null,
  region: string | null,
  problems: Problem[],
): BucketNames {
  const given: Record<PipelineType, Resolved<string | null>> = {
    raw: resolved.bucketRaw,
    schematized: resolved.bucketSchematized,
    aggregated: resolved.bucketAggregated,
    emergency: resolved.bucketEmergency,
  };
  const values = Object.fromEntries(PIPELINE_TYPES.map((type) => [type, given[type].value]));
  const names = bucketNames(values as Record<PipelineType, string | null>, prefix, region);
  const derived = PIPELINE_TYPES.filter((type) => given[type].from === "default");
  if (derived.length > 0 && prefix === null && resolved.prefix.from === "default")
    problems.push({
      key: settingKey(SETTINGS.prefix),
      message: `is required for the names of the buckets of ${derived.join(", ")}; set it in the file or in S3_BUCKET_PREFIX, or name each bucket in s3_configuration.buckets`,
      origin: resolved.s3Enabled.origin,
    });
  for (const type of derived) {
    const name = names[type];
    const fault = name === null ? null : bucketNameFault(name);
    if (fault === null) continue;
    problems.push({
      key: settingKey(SETTINGS.prefix),
      message: `makes a name for a bucket that ${fault}`,
      origin: resolved.prefix.origin,
    });
    break;
  }
  return Object.fromEntries(
    PIPELINE_TYPES.map((type) => [type, names[type] ?? ""]),
  ) as unknown as BucketNames;
}
