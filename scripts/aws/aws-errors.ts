import { type ErrorCode, UploaderError } from "../../src/core/errors.ts";
import { describeS3Error } from "../../src/sink/s3-errors.ts";

/** What an administrator can do; the uploader's own hints are for whoever runs an uploader. */
const HINTS: Partial<Record<ErrorCode, string>> = {
  SINK_DENIED:
    "Run this as somebody who may; docs/AWS.md and docs/SPOT.md name the permissions that each script needs.",
  SINK_REJECTED: "Correct what is said, and run it again: what is so already stays as it is.",
  SINK_UNAVAILABLE:
    "Check the network and --endpoint-url, and run it again: what is so already stays as it is.",
  SINK_THROTTLED: "Run it again in a minute: what is so already stays as it is.",
  SINK_CREDENTIALS:
    "Check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, the profile, or the machine's role.",
  SINK_BUCKET_MISSING: "Make it with scripts/create-s3-buckets-admin.sh, or correct prefix and region.",
};

/**
 * An error of the SDK as one for the administrator, without anything of the request.
 *
 * @param action what failed, as the beginning of a sentence
 */
export function describeAwsError(error: unknown, action: string): unknown {
  if (error instanceof UploaderError) return error;
  const described = describeS3Error(error, action);
  if (!(described instanceof UploaderError)) return error;
  const hint = HINTS[described.code] ?? described.hint;
  return new UploaderError({
    code: described.code,
    message: described.message,
    ...(hint === undefined ? {} : { hint }),
  });
}

/** How S3, IAM and SQS say that something is not there. */
const ABSENT: readonly string[] = [
  "AWS.SimpleQueueService.NonExistentQueue",
  "NoSuchBucket",
  "NoSuchBucketPolicy",
  "NoSuchEntityException",
  "NoSuchKey",
  "NoSuchLifecycleConfiguration",
  "NoSuchPublicAccessBlockConfiguration",
  "NoSuchTagSet",
  "NotFound",
  "OwnershipControlsNotFoundError",
  "QueueDoesNotExist",
  "ServerSideEncryptionConfigurationNotFoundError",
];

/** The answer, or null where what was asked for is not there. */
export async function orNull<Answer>(asked: Promise<Answer>): Promise<Answer | null> {
  try {
    return await asked;
  } catch (error) {
    if (error instanceof Error && ABSENT.includes(error.name)) return null;
    throw error;
  }
}
