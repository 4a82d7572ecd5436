import {
  AbortMultipartUploadCommand,
  DeleteBucketCommand,
  DeleteBucketPolicyCommand,
  DeleteObjectsCommand,
  GetBucketPolicyCommand,
  HeadBucketCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
  type ListObjectVersionsCommandOutput,
  type S3Client,
} from "@aws-sdk/client-s3";
import { UploaderError } from "../../src/core/errors.ts";
import { describeAwsError, orNull } from "./aws-errors.ts";
import { foreignStatements } from "./bucket-policy.ts";
import { type Bucket, dataFolders } from "./buckets.ts";
import type { ChangeReport } from "./change-report.ts";

/**
 * Takes the buckets away. Without force none of them is touched unless all are empty: no version, delete marker or
 * unfinished upload, but for the objects of `--create-folders`.
 *
 * @throws {UploaderError} USAGE where one is not empty
 */
export async function deleteBuckets(
  s3: S3Client,
  buckets: readonly Bucket[],
  force: boolean,
  report: ChangeReport,
): Promise<void> {
  const full: string[] = [];
  if (!force) for (const bucket of buckets) if (await holdsSomething(s3, bucket)) full.push(bucket.name);
  if (full.length > 0)
    throw new UploaderError({
      code: "USAGE",
      message: `Not empty, old versions and unfinished uploads included: ${full.join(", ")}. No bucket was deleted.`,
      hint: "With --force they are deleted with all that is in them, which cannot be undone.",
    });
  for (const bucket of buckets)
    try {
      await deleteBucket(s3, bucket, report);
    } catch (error) {
      throw describeAwsError(error, `${bucket.name} could not be deleted`);
    }
}

async function holdsSomething(s3: S3Client, bucket: Bucket): Promise<boolean> {
  try {
    if (!(await exists(s3, bucket))) return false;
    const folders = dataFolders(bucket.type);
    for await (const versions of versionPages(s3, bucket.name))
      if (versions.some(({ Key, size }) => size !== 0 || !folders.includes(Key))) return true;
    return (await openUploads(s3, bucket.name)).length > 0;
  } catch (error) {
    throw describeAwsError(error, `${bucket.name} could not be looked at`);
  }
}

async function deleteBucket(s3: S3Client, bucket: Bucket, report: ChangeReport): Promise<void> {
  report.title(bucket.name);
  if (!(await exists(s3, bucket))) return report.alreadySo("no such bucket");
  const { name: Bucket } = bucket;
  await deleteOwnPolicy(s3, Bucket, report);
  let versions = 0;
  for await (const page of versionPages(s3, Bucket)) {
    versions += page.length;
    if (!report.dryRun) await deleteVersions(s3, Bucket, page);
  }
  if (versions > 0) report.removed("object versions and delete markers", String(versions));
  // A page has at most 1,000 uploads, and those that are aborted are in no later page.
  for (let uploads = await openUploads(s3, Bucket); uploads.length > 0; ) {
    if (!report.dryRun)
      for (const upload of uploads) await s3.send(new AbortMultipartUploadCommand({ Bucket, ...upload }));
    report.removed("unfinished uploads", String(uploads.length));
    uploads = report.dryRun ? [] : await openUploads(s3, Bucket);
  }
  if (!report.dryRun) await s3.send(new DeleteBucketCommand({ Bucket }));
  report.removed("bucket");
}

/**
 * Servers other than AWS's own may take the policy's Deny without its condition, and then refuse to delete. A policy to
 * which others have added stays, since it may be there to prevent just this.
 */
async function deleteOwnPolicy(s3: S3Client, Bucket: string, report: ChangeReport): Promise<void> {
  const answer = await orNull(s3.send(new GetBucketPolicyCommand({ Bucket })));
  if (!answer?.Policy || foreignStatements(JSON.parse(answer.Policy)).length > 0) return;
  if (!report.dryRun) await s3.send(new DeleteBucketPolicyCommand({ Bucket }));
  report.removed("bucket policy");
}

async function exists(s3: S3Client, { name: Bucket }: Bucket): Promise<boolean> {
  return (await orNull(s3.send(new HeadBucketCommand({ Bucket })))) !== null;
}

interface Version {
  readonly Key: string;
  readonly VersionId: string | undefined;
  /** null: a delete marker */
  readonly size: number | null;
}

/** Pages of at most 1,000, which is also the most that one request deletes. */
async function* versionPages(s3: S3Client, Bucket: string): AsyncGenerator<Version[]> {
  let next: { KeyMarker?: string | undefined; VersionIdMarker?: string | undefined } | null = {};
  while (next) {
    const page: ListObjectVersionsCommandOutput = await s3.send(
      new ListObjectVersionsCommand({ Bucket, ...next }),
    );
    const versions = [
      ...(page.Versions ?? []).map(({ Key = "", VersionId, Size = 0 }) => ({ Key, VersionId, size: Size })),
      ...(page.DeleteMarkers ?? []).map(({ Key = "", VersionId }) => ({ Key, VersionId, size: null })),
    ];
    if (versions.length > 0) yield versions;
    next = page.IsTruncated
      ? { KeyMarker: page.NextKeyMarker, VersionIdMarker: page.NextVersionIdMarker }
      : null;
  }
}

async function deleteVersions(s3: S3Client, Bucket: string, versions: readonly Version[]): Promise<void> {
  const Objects = versions.map(({ Key, VersionId }) => ({ Key, VersionId }));
  const { Errors = [] } = await s3.send(
    new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }),
  );
  const [first] = Errors;
  if (first)
    throw new UploaderError({
      code: "SINK_DENIED",
      message: `${Errors.length} of ${versions.length} versions in ${Bucket} could not be deleted: ${first.Key}: ${first.Code}.`,
      hint: "Run this as somebody who may delete versions, and look for an Object Lock.",
    });
}

async function openUploads(s3: S3Client, Bucket: string): Promise<{ Key: string; UploadId: string }[]> {
  const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket }));
  return Uploads.map(({ Key = "", UploadId = "" }) => ({ Key, UploadId }));
}
