import { randomUUID } from "node:crypto";
import {
  CreateMultipartUploadCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  NoSuchKey,
} from "@aws-sdk/client-s3";
import { createS3Sink, type S3SinkOptions } from "../../src/sink/s3.ts";
import type { Place } from "../sink/contract.ts";
import type { S3Server } from "./s3-servers.ts";

/** What a sink needs to use a test server. */
export function s3SinkOptions(
  server: Pick<S3Server, "endpoint" | "region" | "accessKeyId" | "secretAccessKey">,
): S3SinkOptions {
  return {
    region: server.region,
    endpoint: server.endpoint,
    allowInsecureEndpoint: false,
    forcePathStyle: true,
    sse: null,
    kmsKeyId: null,
    storageClass: null,
    conditionalWrites: true,
    credentials: { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey },
  };
}

/** A new bucket, seen with the test's own client. */
export async function openS3Place(server: S3Server, options: Partial<S3SinkOptions> = {}): Promise<Place> {
  const bucket = `b-${randomUUID()}`;
  const { client } = server;
  await server.createBuckets([bucket]);
  return {
    bucket,
    open: () => createS3Sink({ ...s3SinkOptions(server), ...options }),
    async contents(key) {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
        return Buffer.from((await Body?.transformToByteArray()) ?? []);
      } catch (error) {
        if (error instanceof NoSuchKey) return null;
        throw error;
      }
    },
    async metadata(key) {
      return (await client.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))).Metadata ?? {};
    },
    async leftovers() {
      const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      return Uploads.map((upload) => `${upload.Key} ${upload.UploadId}`);
    },
    async leaveUnfinished(key) {
      await client.send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: key }));
    },
  };
}
