import {
  GetBucketLifecycleConfigurationCommand,
  GetBucketPolicyCommand,
  type LifecycleRule,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { orNull } from "./aws-errors.ts";
import { bucketStatements, foreignStatements, mergePolicy, type PolicyDocument } from "./bucket-policy.ts";
import type { Bucket } from "./buckets.ts";
import type { Property } from "./desired-state.ts";
import { foreignRules, mergeRules, reachesMarkers, rulesText } from "./lifecycle.ts";

/** The bucket's policy; statements of others stay. */
export function bucketPolicy(
  s3: S3Client,
  bucket: Bucket,
  { region, conditionalWritesOnly }: { readonly region: string; readonly conditionalWritesOnly: boolean },
): Property<PolicyDocument> {
  const own = bucketStatements(bucket, region, conditionalWritesOnly);
  return {
    name: "bucket policy",
    async read() {
      const answer = await orNull(s3.send(new GetBucketPolicyCommand({ Bucket: bucket.name })));
      return answer?.Policy ? (JSON.parse(answer.Policy) as PolicyDocument) : null;
    },
    wanted: (found) => mergePolicy(found, own),
    async write(state) {
      await s3.send(new PutBucketPolicyCommand({ Bucket: bucket.name, Policy: JSON.stringify(state) }));
    },
    text: ({ Statement }) => [Statement].flat().map(statementText).join("; "),
    notes: (found) =>
      foreignStatements(found).map(({ Sid }) => `statement ${Sid ?? "without a name"} is not ours and stays`),
  };
}

/** Enough of a statement to see what somebody has changed in it. */
function statementText({ Sid, Effect, Action, Condition }: Record<string, unknown>): string {
  const condition = Condition === undefined ? "always" : `if ${JSON.stringify(Condition)}`;
  return `${Sid ?? "?"} (${Effect} ${[Action].flat().join(", ")} ${condition})`;
}

/** The bucket's lifecycle; rules of others stay, and are warned of where they reach the ownership markers. */
export function lifecycle(s3: S3Client, { name: Bucket, type }: Bucket): Property<LifecycleRule[]> {
  return {
    name: "lifecycle",
    async read() {
      const answer = await orNull(s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket })));
      return answer?.Rules ?? null;
    },
    wanted: (found) => mergeRules(found, type),
    async write(Rules) {
      await s3.send(
        new PutBucketLifecycleConfigurationCommand({ Bucket, LifecycleConfiguration: { Rules } }),
      );
    },
    text: rulesText,
    notes: (found) =>
      foreignRules(found).map((rule) =>
        type === "raw" && reachesMarkers(rule)
          ? `lifecycle rule ${rule.ID} is not ours and stays, but it reaches _owner/: an uploader whose marker it takes away stops`
          : `lifecycle rule ${rule.ID} is not ours and stays`,
      ),
  };
}
