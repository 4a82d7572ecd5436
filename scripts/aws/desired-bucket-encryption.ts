import { GetBucketEncryptionCommand, PutBucketEncryptionCommand, type S3Client } from "@aws-sdk/client-s3";
import { orNull } from "./aws-errors.ts";
import type { Bucket } from "./buckets.ts";
import type { Property } from "./desired-state.ts";

interface Encryption {
  readonly algorithm: string | undefined;
  readonly key?: string | undefined;
  readonly bucketKey?: boolean | undefined;
}

/** SSE-S3, or SSE-KMS with a bucket key, which spares a request to KMS for each object. */
export function encryption(
  s3: S3Client,
  { name: Bucket }: Bucket,
  kmsKey: string | null,
): Property<Encryption> {
  const wanted: Encryption =
    kmsKey === null ? { algorithm: "AES256" } : { algorithm: "aws:kms", key: kmsKey, bucketKey: true };
  return {
    name: "encryption",
    async read() {
      const answer = await orNull(s3.send(new GetBucketEncryptionCommand({ Bucket })));
      const rule = answer?.ServerSideEncryptionConfiguration?.Rules?.[0];
      const found = rule?.ApplyServerSideEncryptionByDefault;
      if (!found) return null;
      const algorithm = found.SSEAlgorithm;
      // A bucket key means nothing to SSE-S3, and S3 gives it either way.
      if (algorithm === "AES256") return { algorithm };
      return { algorithm, key: found.KMSMasterKeyID, bucketKey: rule.BucketKeyEnabled ?? false };
    },
    wanted: () => wanted,
    async write({ algorithm, key, bucketKey = false }) {
      const byDefault = { SSEAlgorithm: algorithm as "AES256" | "aws:kms", KMSMasterKeyID: key };
      const Rules = [{ ApplyServerSideEncryptionByDefault: byDefault, BucketKeyEnabled: bucketKey }];
      await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration: { Rules } }));
    },
    text: ({ algorithm, key, bucketKey }) =>
      [
        algorithm ?? "none",
        ...(key ? [`with ${key}`] : []),
        ...(bucketKey === false ? ["no bucket key"] : []),
      ].join(", "),
  };
}
