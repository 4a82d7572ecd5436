import { randomUUID } from "node:crypto";
import { ListMultipartUploadsCommand, ListObjectsV2Command } from "@aws-sdk/client-s3";
import { PIPELINE_TYPES, type PipelineType } from "../../src/core/types.ts";
import { type LakeObject, listObjects } from "./lake-reader.ts";
import type { S3Server } from "./s3-servers.ts";

/** The four buckets of one test, with a prefix of their own. */
export interface S3Lake {
  /** What the uploader needs in its environment to ship there. */
  readonly environment: Readonly<Record<string, string>>;
  bucket(type: PipelineType): string;
  /** As versitygw keeps them: plain files. */
  objects(): LakeObject[];
  /** Bucket and key of everything there is, markers included, with what the server says of its version. */
  versions(): Promise<Map<string, string>>;
  /** Whether an object is being sent in parts. */
  hasOpenUpload(): Promise<boolean>;
  /** Multipart uploads that nobody has ended. */
  openUploads(): Promise<string[]>;
}

export async function openS3Lake(server: S3Server): Promise<S3Lake> {
  const prefix = `t${randomUUID().slice(0, 8)}`;
  const bucket = (type: PipelineType) => `${prefix}-databricks-${type}-${server.region}`;
  const buckets = PIPELINE_TYPES.map(bucket);
  await server.createBuckets(buckets);

  async function openUploads(): Promise<string[]> {
    const open: string[] = [];
    for (const Bucket of buckets) {
      const { Uploads = [] } = await server.client.send(new ListMultipartUploadsCommand({ Bucket }));
      open.push(...Uploads.map(({ Key, UploadId }) => `${Bucket}/${Key} ${UploadId}`));
    }
    return open;
  }

  return {
    environment: { ...server.environment, S3_PREFIX: prefix },
    bucket,
    objects: () => listObjects(server.folder, buckets),
    async versions() {
      const versions = new Map<string, string>();
      for (const Bucket of buckets) {
        let ContinuationToken: string | undefined;
        do {
          const page = await server.client.send(new ListObjectsV2Command({ Bucket, ContinuationToken }));
          for (const { Key, ETag, LastModified, Size } of page.Contents ?? [])
            versions.set(`${Bucket}/${Key}`, `${ETag} ${LastModified?.toISOString()} ${Size}`);
          ContinuationToken = page.NextContinuationToken;
        } while (ContinuationToken !== undefined);
      }
      return versions;
    },
    hasOpenUpload: async () => (await openUploads()).length > 0,
    openUploads,
  };
}
