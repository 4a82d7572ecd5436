import { UploaderError } from "../core/errors.ts";
import { failpoint } from "../core/failpoints.ts";
import type { ObjectHead, PutTarget, S3Api } from "./s3-api.ts";
import { describeS3Error, s3Answer } from "./s3-errors.ts";
import type { ObjectToPut } from "./sink.ts";
import { readVerified, verifiedChunks } from "./verified-file.ts";

/**
 * S3 takes up to 5 GB in one request, and parts of 5 MB or more. What goes in one request is held in memory, is lost
 * with it, and appears without another look at who owns the source.
 */
const SINGLE_PUT_BYTES = 5 * 1024 * 1024;

export interface S3PutOptions {
  readonly conditionalWrites: boolean;
  readonly signal: AbortSignal | undefined;
  /** As in `Sink.put`. */
  readonly beforeVisible: (() => Promise<void>) | undefined;
}

/** What a HEAD tells; `hidden` where the permission to know is missing. */
type Found = ObjectHead | "absent" | "hidden";

/**
 * Puts an object unless something is under its key. `Sink.put` in S3:
 *
 *     look ──► store ──► look again ──► stored
 *      │         │ 412, NoSuchUpload: an earlier try's answer may have been lost
 *      ▼         ▼
 *     the same SHA-256 and size ──► found; anything else ──► SINK_CONFLICT
 *
 * The first look is for large objects, which would be sent in vain, and for servers without conditional
 * writes. The last one is for servers, and things in between, that say 200 and store something else.
 */
export async function putToS3(
  api: S3Api,
  options: S3PutOptions,
  object: ObjectToPut,
): Promise<"stored" | "found"> {
  const { conditionalWrites, signal } = options;
  try {
    signal?.throwIfAborted();
    const found = await lookBefore(api, conditionalWrites, object, signal);
    if (found) return found;
    try {
      await store(api, options, object);
    } catch (error) {
      return await answerRefusal(api, object, error, signal);
    }
    failpoint("before-confirm");
    await confirm(api, object, signal);
    return "stored";
  } catch (error) {
    signal?.throwIfAborted();
    throw describeS3Error(error, `${nameOf(object)} was not stored`);
  }
}

async function lookBefore(
  api: S3Api,
  conditionalWrites: boolean,
  object: ObjectToPut,
  signal: AbortSignal | undefined,
): Promise<"found" | null> {
  if (isLarge(object)) await abortLeftUploads(api, object, signal);
  else if (conditionalWrites) return null;
  const there = await look(api, object, signal, { isBare404Enough: conditionalWrites });
  if (there === "hidden" && !conditionalWrites)
    throw new UploaderError({
      code: "SINK_DENIED",
      message: `Whether ${nameOf(object)} is there already cannot be seen, and without conditional writes it might be overwritten.`,
      hint: `Grant s3:GetObject on the objects of ${object.bucket} and s3:ListBucket on the bucket, without which a missing object looks like a forbidden one.`,
    });
  return typeof there === "object" ? sameOrConflict(object, there) : null;
}

async function store(
  api: S3Api,
  { conditionalWrites, signal, beforeVisible }: S3PutOptions,
  object: ObjectToPut,
): Promise<void> {
  const target: PutTarget = {
    bucket: object.bucket,
    key: object.key,
    contentType: "application/vnd.apache.parquet",
    metadata: headerSafe({ ...object.metadata, sha256: object.sha256 }),
    onlyOver: conditionalWrites ? "absent" : null,
  };
  if (!isLarge(object)) {
    await api.putObject(target, await readVerified(object, signal), object.sha256, signal);
    return;
  }
  await api.putInParts(target, verifiedChunks(object, signal), { signal, beforeCompletion: beforeVisible });
  // One whose creation was answered too late, and tried again, is known to nobody.
  await abortLeftUploads(api, object, signal);
}

/** 412, or an upload that is gone: most likely this object is there, from a try whose answer was lost. */
async function answerRefusal(
  api: S3Api,
  object: ObjectToPut,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<"found"> {
  const { name, status } = s3Answer(error);
  if (status !== 412 && name !== "NoSuchUpload") throw error;
  const there = await look(api, object, signal);
  if (typeof there === "object") return sameOrConflict(object, there);
  if (there === "absent" || name === "NoSuchUpload") throw error;
  throw new UploaderError({
    code: "SINK_DENIED",
    message: `Something is under ${nameOf(object)} already, and whether it is this object cannot be seen.`,
    hint: `Grant s3:GetObject on the objects of ${object.bucket}, so that an object whose answer was lost is recognised.`,
  });
}

async function confirm(api: S3Api, object: ObjectToPut, signal: AbortSignal | undefined): Promise<void> {
  const there = await look(api, object, signal);
  if (there === "hidden" || (typeof there === "object" && isSame(object, there))) return;
  throw new UploaderError({
    code: "SINK_UNAVAILABLE",
    message: `${nameOf(object)} was answered as stored, but ${there === "absent" ? "it is not there" : "other bytes are there"}.`,
    hint: "It is tried again. If it lasts, look for a proxy or captive portal before the server.",
  });
}

/**
 * A HEAD's answer has no body to say why. S3 also gives 403 for a missing key to those who may not list.
 *
 * @param isBare404Enough whether a HEAD's 404, which anything on the way may have given, is taken for S3's word; not
 *   where an object that is there would be overwritten
 */
async function look(
  api: S3Api,
  object: ObjectToPut,
  signal: AbortSignal | undefined,
  { isBare404Enough = true } = {},
): Promise<Found> {
  try {
    return await api.headObject(object.bucket, object.key, signal);
  } catch (error) {
    const { status } = s3Answer(error);
    if (status === 404 && isBare404Enough) return "absent";
    if (status !== 404 && status !== 403 && status !== 400) throw error;
  }
  try {
    return await api.getObject(object.bucket, object.key, true);
  } catch (error) {
    if (s3Answer(error).name === "NoSuchKey") return "absent";
    const described = describeS3Error(error, nameOf(object));
    if (described instanceof UploaderError && described.code === "SINK_DENIED") return "hidden";
    throw error;
  }
}

/** Uploads of this key that a crash left open would be paid for for ever. */
async function abortLeftUploads(
  api: S3Api,
  object: ObjectToPut,
  signal: AbortSignal | undefined,
): Promise<void> {
  try {
    for (const upload of await api.listOpenUploads(object.bucket, object.key, signal))
      if (upload.key === object.key) await api.abortUpload(object.bucket, upload);
  } catch (error) {
    // Not permitted, not supported, or aborted meanwhile: no reason not to deliver.
    const { status } = s3Answer(error);
    if (status === null || (status >= 500 && status !== 501)) throw error;
  }
}

function sameOrConflict(object: ObjectToPut, there: ObjectHead): "found" {
  if (isSame(object, there)) return "found";
  throw new UploaderError({
    code: "SINK_CONFLICT",
    message: `${nameOf(object)} holds another object: ${there.size} bytes with SHA-256 ${there.metadata.sha256 ?? "unknown"}, not ${object.bytes} bytes with ${object.sha256}.`,
    hint: "Find out what wrote it (another uploader with this node id, or a copied or restored state folder) before you remove either; nothing was overwritten.",
  });
}

function isSame(object: ObjectToPut, there: ObjectHead): boolean {
  return there.metadata.sha256 === object.sha256 && there.size === object.bytes;
}

function isLarge(object: ObjectToPut): boolean {
  return object.bytes > SINGLE_PUT_BYTES;
}

function nameOf({ bucket, key }: ObjectToPut): string {
  return `s3://${bucket}/${key}`;
}

/** Headers hold printable ASCII; the bytes of other characters are percent-encoded, as is `%` itself. */
function headerSafe(metadata: Readonly<Record<string, string>>): Record<string, string> {
  const safe = (value: string) =>
    value.replace(/[^\x20-\x7e]|%|^ | $/gu, (character) =>
      Buffer.from(character).toString("hex").toUpperCase().replace(/../g, "%$&"),
    );
  return Object.fromEntries(Object.entries(metadata).map(([name, value]) => [name, safe(value)]));
}
