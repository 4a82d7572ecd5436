import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketPolicyCommand,
  GetObjectCommand,
  ListBucketsCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutObjectCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { s3Answer } from "../../src/sink/s3-errors.ts";

/** One call that needs one action. It throws what the SDK throws. */
export interface Probe {
  readonly action: string;
  try(s3: S3Client, bucket: string): Promise<void>;
}

/** Of no bytes, outside of all data; it stays, since an uploader may not delete. Readers skip names with `_`. */
export const PROBE_KEY = "_access-test/probe";

/** The actions of docs/iam-policy.json, which the uploader needs; PutObject first, so that there is something to get. */
export const NEEDED: readonly Probe[] = [
  {
    action: "s3:PutObject",
    async try(s3, Bucket) {
      await s3.send(
        new PutObjectCommand({
          Bucket,
          Key: PROBE_KEY,
          Body: new Uint8Array(),
          ContentLength: 0,
          IfNoneMatch: "*",
        }),
      );
    },
  },
  {
    action: "s3:GetObject",
    async try(s3, Bucket) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket, Key: PROBE_KEY }));
      await Body?.transformToByteArray();
    },
  },
  {
    action: "s3:AbortMultipartUpload",
    async try(s3, Bucket) {
      // There is no such upload, which only those are told who might abort it; and so none is left behind.
      await s3.send(new AbortMultipartUploadCommand({ Bucket, Key: PROBE_KEY, UploadId: "none" }));
    },
  },
  {
    action: "s3:ListBucket",
    async try(s3, Bucket) {
      await s3.send(new ListObjectsV2Command({ Bucket, MaxKeys: 1 }));
    },
  },
  {
    action: "s3:ListBucketMultipartUploads",
    async try(s3, Bucket) {
      await s3.send(new ListMultipartUploadsCommand({ Bucket, MaxUploads: 1 }));
    },
  },
];

/** Actions that it does not need, of which the calls do no harm where they are allowed. */
export const UNNEEDED: readonly Probe[] = [
  {
    action: "s3:DeleteObject",
    async try(s3, Bucket) {
      await s3.send(new DeleteObjectCommand({ Bucket, Key: PROBE_KEY }));
    },
  },
  {
    action: "s3:ListBucketVersions",
    async try(s3, Bucket) {
      await s3.send(new ListObjectVersionsCommand({ Bucket, MaxKeys: 1 }));
    },
  },
  {
    action: "s3:GetBucketPolicy",
    async try(s3, Bucket) {
      await s3.send(new GetBucketPolicyCommand({ Bucket }));
    },
  },
  {
    action: "s3:GetLifecycleConfiguration",
    async try(s3, Bucket) {
      await s3.send(new GetBucketLifecycleConfigurationCommand({ Bucket }));
    },
  },
  {
    action: "s3:ListAllMyBuckets",
    async try(s3) {
      await s3.send(new ListBucketsCommand({ MaxBuckets: 1 }));
    },
  },
];

export type ProbeResult = "allowed" | "denied";

/**
 * Whether the action is allowed: any answer but a refusal says so, such as that the probe is there already, or that a
 * bucket has no policy.
 *
 * @throws what the SDK throws, where the answer says neither: no network, bad credentials, no such bucket
 */
export async function probe({ try: attempt }: Probe, s3: S3Client, bucket: string): Promise<ProbeResult> {
  try {
    await attempt(s3, bucket);
    return "allowed";
  } catch (error) {
    const { name, status } = s3Answer(error);
    if (name === "AccessDenied" || name === "Forbidden") return "denied";
    if (status === 412 || ALLOWED_ANSWERS.includes(name)) return "allowed";
    throw error;
  }
}

const ALLOWED_ANSWERS = [
  "PreconditionFailed",
  "NoSuchKey",
  "NoSuchUpload",
  "NoSuchBucketPolicy",
  "NoSuchLifecycleConfiguration",
];
