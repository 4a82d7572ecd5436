import { Readable } from "node:stream";
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  type ListMultipartUploadsCommandOutput,
  ListObjectsV2Command,
  PutObjectCommand,
  type PutObjectCommandInput,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { UploaderError } from "../core/errors.ts";
import { failpoint } from "../core/failpoints.ts";
import { isInsecure } from "../core/transport.ts";
import type { ListedObject } from "./sink.ts";

/** The calls of S3 that the sink makes, and no more. They throw what the SDK throws; s3-errors.ts reads it. */
export interface S3Api {
  /** One PutObject. `sha256` (hex) goes along as a checksum that the server verifies. */
  putObject(target: PutTarget, body: Buffer, sha256: string, signal?: AbortSignal): Promise<{ etag: string }>;

  /**
   * A multipart upload of the chunks, which it aborts when it fails, or when `beforeCompletion` does. The condition
   * is the completion's.
   */
  putInParts(target: PutTarget, chunks: AsyncIterable<Buffer>, options?: PartsOptions): Promise<void>;

  headObject(bucket: string, key: string, signal?: AbortSignal): Promise<ObjectHead>;

  /** `size` is the whole object's, also with `firstByteOnly`, which asks for as little as S3 gives. */
  getObject(
    bucket: string,
    key: string,
    firstByteOnly?: boolean,
  ): Promise<ObjectHead & { bytes: Uint8Array }>;

  /** One page of at most 1,000 objects; `next` is the token of the page after it. */
  listObjects(
    bucket: string,
    prefix: string,
    token: string | undefined,
  ): Promise<{ objects: ListedObject[]; next: string | undefined }>;

  /** The multipart uploads of keys with this beginning that are neither completed nor aborted. */
  listOpenUploads(bucket: string, prefix: string, signal?: AbortSignal): Promise<OpenUpload[]>;

  abortUpload(bucket: string, upload: OpenUpload): Promise<void>;

  close(): void;
}

export interface OpenUpload {
  readonly key: string;
  readonly uploadId: string;
}

export interface PartsOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called once all parts are there. */
  readonly beforeCompletion?: (() => Promise<void>) | undefined;
}

export interface PutTarget {
  readonly bucket: string;
  readonly key: string;
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** `absent`: only where there is nothing; an ETag: only over that version; null: whatever is there. */
  readonly onlyOver: "absent" | { readonly etag: string } | null;
}

export interface ObjectHead {
  readonly size: number;
  readonly etag: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface S3ApiOptions {
  readonly region: string;
  /** null: AWS's own. */
  readonly endpoint: string | null;
  /** Whether requests may go to another machine without TLS. */
  readonly allowInsecureEndpoint: boolean;
  readonly forcePathStyle: boolean;
  readonly sse: string | null;
  readonly kmsKeyId: string | null;
  readonly storageClass: string | null;
  /** The SDK's default chain where left out. */
  readonly credentials?: S3ClientConfig["credentials"];
  /** Tests give shorter ones. */
  readonly timeouts?: Partial<Timeouts>;
}

interface Timeouts {
  /** Of silence. */
  readonly idleMs: number;
  /** From the start of a request to the head of its answer, for those whose body fits any buffer. */
  readonly smallRequestMs: number;
}

const CONNECTION_TIMEOUT_MS = 5_000;
/**
 * A socket looks idle to Node.js while the kernel still sends what it has buffered: up to 4 MB, which takes
 * 80 s on a line of 50 kB/s. So this is a bound on silence, with room for that, and large bodies have no other.
 */
const IDLE_TIMEOUT_MS = 120_000;
const SMALL_REQUEST_TIMEOUT_MS = 30_000;
const SMALL_BODY_BYTES = 64 * 1024;
/** One try and one more for a connection that the server had closed; the retry policy does the rest. */
const MAX_ATTEMPTS = 2;
/** The least that S3 takes. With two parts under way and one being read, at most some 25 MB are in memory. */
const PART_BYTES = 5 * 1024 * 1024;
const PARTS_AT_ONCE = 2;

/** The calls, made by the AWS SDK. */
export function createS3Api(options: S3ApiOptions): S3Api {
  // The SDK would tell the operator, who can do nothing about it, that its later versions need a later Node.js.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  const client = new S3Client({
    region: options.region,
    ...(options.endpoint === null ? {} : { endpoint: options.endpoint }),
    ...(options.credentials === undefined ? {} : { credentials: options.credentials }),
    forcePathStyle: options.forcePathStyle,
    maxAttempts: MAX_ATTEMPTS,
    // The checksums that matter are given with each put; others make trailers that some servers store wrongly.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    requestHandler: {
      connectionTimeout: CONNECTION_TIMEOUT_MS,
      socketTimeout: options.timeouts?.idleMs ?? IDLE_TIMEOUT_MS,
      throwOnRequestTimeout: true,
    },
  });
  if (!options.allowInsecureEndpoint) refuseInsecure(client);
  hideCredentials(client);
  const requestTimeout = options.timeouts?.smallRequestMs ?? SMALL_REQUEST_TIMEOUT_MS;
  const small = (signal?: AbortSignal) => ({ ...withSignal(signal), requestTimeout });
  return {
    async putObject(target, body, sha256, signal) {
      const answer = await client.send(
        new PutObjectCommand({
          ...putInput(target, options),
          Body: body,
          ContentLength: body.length,
          ChecksumSHA256: Buffer.from(sha256, "hex").toString("base64"),
        }),
        body.length <= SMALL_BODY_BYTES ? small(signal) : withSignal(signal),
      );
      return { etag: given(answer.ETag) };
    },

    async putInParts(target, chunks, parts = {}) {
      const upload = new Upload({
        client: cancellable(client, parts, small()),
        params: {
          ...putInput(target, options),
          ChecksumAlgorithm: "SHA256",
          Body: Readable.from(chunks, { highWaterMark: 1 }),
        },
        partSize: PART_BYTES,
        queueSize: PARTS_AT_ONCE,
        leavePartsOnError: false,
      });
      await upload.done();
    },

    async headObject(bucket, key, signal) {
      const answer = await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }), small(signal));
      return { size: answer.ContentLength ?? 0, etag: given(answer.ETag), metadata: answer.Metadata ?? {} };
    },

    async getObject(bucket, key, firstByteOnly = false) {
      const range = firstByteOnly ? { Range: "bytes=0-0" } : {};
      const answer = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key, ...range }), small());
      const bytes = (await answer.Body?.transformToByteArray()) ?? new Uint8Array();
      const size = Number(answer.ContentRange?.split("/")[1] ?? bytes.length);
      return { size, etag: given(answer.ETag), metadata: answer.Metadata ?? {}, bytes };
    },

    async listObjects(bucket, prefix, token) {
      const page = new ListObjectsV2Command({ Bucket: bucket, Prefix: prefix, ContinuationToken: token });
      const answer = await client.send(page, small());
      given(answer.Name);
      const objects = (answer.Contents ?? []).map(({ Key, Size }) => ({ key: Key ?? "", bytes: Size ?? 0 }));
      return { objects, next: answer.IsTruncated ? answer.NextContinuationToken : undefined };
    },

    async listOpenUploads(bucket, prefix, signal) {
      const uploads: OpenUpload[] = [];
      let after: { KeyMarker?: string | undefined; UploadIdMarker?: string | undefined } | null = {};
      while (after) {
        const page = new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: prefix, ...after });
        const answer: ListMultipartUploadsCommandOutput = await client.send(page, small(signal));
        for (const { Key, UploadId } of answer.Uploads ?? [])
          uploads.push({ key: Key ?? "", uploadId: UploadId ?? "" });
        const { NextKeyMarker, NextUploadIdMarker } = answer;
        after = answer.IsTruncated ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker } : null;
      }
      return uploads;
    },

    async abortUpload(bucket, { key, uploadId }) {
      const abort = new AbortMultipartUploadCommand({ Bucket: bucket, Key: key, UploadId: uploadId });
      await client.send(abort, small());
    },

    close: () => client.destroy(),
  };
}

/**
 * The settings name an endpoint, and are checked for this; AWS's own configuration file may name one too, which
 * only shows in the request.
 */
function refuseInsecure(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      const { protocol, hostname } = args.request as { protocol: string; hostname: string };
      if (!isInsecure({ protocol, hostname })) return next(args);
      throw new UploaderError({
        code: "SINK_REJECTED",
        message: `Nothing is sent to ${protocol}//${hostname}, since that is another machine, and without TLS.`,
        hint: "Give an https URL in `s3_configuration.endpoint` or AWS's configuration file, or set `s3_configuration.allow_insecure_endpoint: true`.",
      });
    },
    { step: "build", name: "refuseInsecure", priority: "low" },
  );
}

/**
 * Servers repeat in their answers who asked. What an error says goes into logs, so the access key id and the session
 * token of the request are taken out of it, whatever their form.
 */
function hideCredentials(client: S3Client): void {
  client.middlewareStack.add(
    (next) => async (args) => {
      try {
        return await next(args);
      } catch (error) {
        const { headers } = args.request as { headers: Readonly<Record<string, string>> };
        const id = /Credential=([^/]+)/.exec(headers.authorization ?? "")?.[1];
        for (const secret of [id, headers["x-amz-security-token"]])
          if (secret && error instanceof Error) {
            error.message = error.message.replaceAll(secret, "…");
            error.name = error.name.replaceAll(secret, "…");
          }
        throw error;
      }
    },
    // Behind the signing.
    { step: "finalizeRequest", name: "hideCredentials", priority: "low" },
  );
}

function putInput(target: PutTarget, options: S3ApiOptions) {
  const { onlyOver } = target;
  const input: Partial<PutObjectCommandInput> = {
    ...(onlyOver === "absent" ? { IfNoneMatch: "*" } : onlyOver === null ? {} : { IfMatch: onlyOver.etag }),
    ...(options.sse === null ? {} : { ServerSideEncryption: options.sse as "AES256" }),
    ...(options.kmsKeyId === null ? {} : { SSEKMSKeyId: options.kmsKeyId }),
    ...(options.storageClass === null ? {} : { StorageClass: options.storageClass as "STANDARD" }),
  };
  return {
    Bucket: target.bucket,
    Key: target.key,
    ContentType: target.contentType,
    Metadata: target.metadata,
    ...input,
  };
}

/**
 * A client for one multipart upload, whose requests end with the signal. lib-storage does not pass its own
 * signal on, and lets an abort that fails hide the error that led to it; an upload that is left open so is
 * aborted by the next try.
 */
function cancellable(client: S3Client, { signal, beforeCompletion }: PartsOptions, small: object): S3Client {
  async function send(command: Parameters<S3Client["send"]>[0]) {
    if (command instanceof AbortMultipartUploadCommand)
      return client.send(command, small).catch(() => undefined);
    if (command instanceof UploadPartCommand) failpoint("before-part");
    if (command instanceof CompleteMultipartUploadCommand) {
      await beforeCompletion?.();
      failpoint("before-completion");
    }
    const answer = await client.send(command, withSignal(signal));
    if (command instanceof UploadPartCommand) failpoint("after-part");
    if (command instanceof CompleteMultipartUploadCommand) failpoint("after-completion");
    if (command instanceof CreateMultipartUploadCommand) given((answer as { UploadId?: string }).UploadId);
    else given((answer as { ETag?: string }).ETag);
    return answer;
  }
  return Object.create(client, { send: { value: send } });
}

/**
 * A field that every answer of S3 has: a captive portal's page, with its status of 200, has not, and would
 * otherwise look like an empty bucket.
 */
function given(field: string | undefined): string {
  if (field) return field;
  throw Object.assign(new Error("what answered is not S3"), { name: "NotS3Error" });
}

function withSignal(signal: AbortSignal | undefined): { abortSignal?: AbortSignal } {
  return signal ? { abortSignal: signal } : {};
}
