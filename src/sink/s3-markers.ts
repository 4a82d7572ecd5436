import { createHash, randomUUID } from "node:crypto";
import type { PutTarget, S3Api } from "./s3-api.ts";
import { describeS3Error, s3Answer } from "./s3-errors.ts";
import type { Marker, MarkerWrite } from "./sink.ts";

/** Tells what this very call wrote, when its answer was lost, from the same text written by another. */
const WRITE_ID = "write-id";

/** A marker's version in S3 is its ETag. */
export async function readS3Marker(api: S3Api, bucket: string, key: string): Promise<Marker | null> {
  try {
    const { bytes, etag } = await api.getObject(bucket, key);
    return { text: Buffer.from(bytes).toString("utf8"), version: etag };
  } catch (error) {
    if (isMissingKey(error)) return null;
    throw describeS3Error(error, `s3://${bucket}/${key} could not be read`);
  }
}

/** @returns the version written, or null where the condition did not hold */
export async function writeS3Marker(
  api: S3Api,
  conditionalWrites: boolean,
  write: MarkerWrite,
): Promise<string | null> {
  const { bucket, key, text, replaces } = write;
  if (!conditionalWrites) {
    const there = await readS3Marker(api, bucket, key);
    if ((there?.version ?? null) !== replaces) return null;
  }
  const writeId = randomUUID();
  const target: PutTarget = {
    bucket,
    key,
    contentType: "application/json",
    metadata: { [WRITE_ID]: writeId },
    onlyOver: !conditionalWrites ? null : replaces === null ? "absent" : { etag: replaces },
  };
  const body = Buffer.from(text, "utf8");
  try {
    return (await api.putObject(target, body, createHash("sha256").update(body).digest("hex"))).etag;
  } catch (error) {
    if (replaces !== null && isMissingKey(error)) return null;
    if (s3Answer(error).status === 412) return ownVersion(api, bucket, key, writeId);
    throw describeS3Error(error, `s3://${bucket}/${key} was not written`);
  }
}

/** After a lost answer the SDK's second request finds the first one's marker and gets a 412 too. */
async function ownVersion(api: S3Api, bucket: string, key: string, writeId: string): Promise<string | null> {
  try {
    const { metadata, etag } = await api.getObject(bucket, key);
    return metadata[WRITE_ID] === writeId ? etag : null;
  } catch (error) {
    if (isMissingKey(error)) return null;
    throw describeS3Error(error, `s3://${bucket}/${key} could not be read`);
  }
}

/**
 * By S3's own name, which a HEAD has not, because not every 404 is an answer about the key, and "no marker" has
 * consequences.
 */
function isMissingKey(error: unknown): boolean {
  return s3Answer(error).name === "NoSuchKey";
}
