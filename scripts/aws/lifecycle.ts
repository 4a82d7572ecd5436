import type { LifecycleRule } from "@aws-sdk/client-s3";
import type { PipelineType } from "../../src/core/types.ts";
import { dataFolders, OWNER_FOLDER } from "./buckets.ts";

const OWN_ID = /^databricks-uploader-/;

/** Days after which objects go to cheaper classes, or away. */
const AGES: Readonly<
  Record<PipelineType, { infrequentDays?: number; glacierDays?: number; expireDays?: number }>
> = {
  raw: { infrequentDays: 30, glacierDays: 90 },
  schematized: { infrequentDays: 60, glacierDays: 730 },
  aggregated: { infrequentDays: 90, glacierDays: 1_095 },
  emergency: { expireDays: 2_555 },
};
const UNFINISHED_DAYS = 7;

/**
 * The rules of a bucket. They name the folders of the data, so that no rule touches what is below `_owner/`, versions
 * that were replaced included: an uploader whose marker is gone stops. No rule takes old versions away.
 */
export function lifecycleRules(type: PipelineType): LifecycleRule[] {
  return [
    ...dataFolders(type).map((folder) => dataRule(type, folder)),
    rule("unfinished-uploads", "", {
      AbortIncompleteMultipartUpload: { DaysAfterInitiation: UNFINISHED_DAYS },
    }),
  ];
}

function dataRule(type: PipelineType, folder: string): LifecycleRule {
  const { infrequentDays, glacierDays, expireDays } = AGES[type];
  const name = folder.startsWith("rejected/") ? "rejected" : type;
  if (expireDays !== undefined) return rule(name, folder, { Expiration: { Days: expireDays } });
  return rule(name, folder, {
    Transitions: [
      ...(infrequentDays === undefined
        ? []
        : [{ Days: infrequentDays, StorageClass: "STANDARD_IA" as const }]),
      ...(glacierDays === undefined ? [] : [{ Days: glacierDays, StorageClass: "GLACIER" as const }]),
    ],
  });
}

function rule(name: string, folder: string, actions: Omit<LifecycleRule, "Status">): LifecycleRule {
  return { ID: `databricks-uploader-${name}`, Status: "Enabled", Filter: { Prefix: folder }, ...actions };
}

/** Our rules as they should be, and those of others as they are. */
export function mergeRules(found: readonly LifecycleRule[] | null, type: PipelineType): LifecycleRule[] {
  return [...foreignRules(found ?? []), ...lifecycleRules(type)];
}

export function foreignRules(rules: readonly LifecycleRule[]): LifecycleRule[] {
  return rules.filter(({ ID }) => !OWN_ID.test(ID ?? ""));
}

/** Whether a rule moves or expires current objects below `_owner/`. */
export function reachesMarkers(found: LifecycleRule): boolean {
  const folder = found.Filter?.Prefix ?? found.Filter?.And?.Prefix ?? found.Prefix ?? "";
  const reaches = folder.startsWith(OWNER_FOLDER) || OWNER_FOLDER.startsWith(folder);
  return found.Status === "Enabled" && reaches && Boolean(found.Expiration || found.Transitions?.length);
}

/** One line: `raw/: STANDARD_IA after 30 days, GLACIER after 90 days`. */
export function rulesText(rules: readonly LifecycleRule[]): string {
  return rules.map(ruleText).sort().join("; ");
}

function ruleText(found: LifecycleRule): string {
  const days = (count: number | undefined, what: string) => (count ? [`${what} after ${count} days`] : []);
  const actions = [
    ...(found.Transitions ?? []).flatMap(({ Days, StorageClass }) => days(Days, StorageClass ?? "moved")),
    ...days(found.Expiration?.Days, "expired"),
    ...days(found.NoncurrentVersionExpiration?.NoncurrentDays, "old versions gone"),
    ...days(found.AbortIncompleteMultipartUpload?.DaysAfterInitiation, "unfinished uploads gone"),
  ];
  const folder = found.Filter?.Prefix ?? found.Prefix ?? "";
  const off = found.Status === "Enabled" ? "" : " (off)";
  return `${folder || "all"}${off}: ${actions.join(", ") || found.ID || "?"}`;
}
