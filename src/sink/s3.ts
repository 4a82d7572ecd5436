import { objectKeyPrefix, parseObjectKey } from "../core/object-key.ts";
import { createS3Api, type S3Api, type S3ApiOptions } from "./s3-api.ts";
import { describeS3Error, s3Answer } from "./s3-errors.ts";
import { readS3Marker, writeS3Marker } from "./s3-markers.ts";
import { putToS3 } from "./s3-put.ts";
import type { ListedObject, ObjectsOfSource, Sink } from "./sink.ts";

export interface S3SinkOptions extends S3ApiOptions {
  /** False for servers without If-None-Match: it looks before each write, and another may write in between. */
  readonly conditionalWrites: boolean;
}

/**
 * A sink in S3, or in a server that speaks its protocol. It needs s3:PutObject, s3:GetObject and
 * s3:AbortMultipartUpload on the buckets' objects, s3:ListBucket and s3:ListBucketMultipartUploads on the buckets.
 *
 * @param api tests give a fake
 */
export function createS3Sink(options: S3SinkOptions, api: S3Api = createS3Api(options)): Sink {
  const { conditionalWrites } = options;
  return {
    put: (object, signal, beforeVisible) =>
      putToS3(api, { conditionalWrites, signal, beforeVisible }, object),
    readMarker: (bucket, key) => readS3Marker(api, bucket, key),
    writeMarker: (bucket, key, text, replaces) =>
      writeS3Marker(api, conditionalWrites, { bucket, key, text, replaces }),
    list: (bucket, prefix) => list(api, bucket, prefix),
    discardUnfinished: (bucket, of) => discardUnfinished(api, bucket, of),
    read: (bucket, key) => read(api, bucket, key),
    describe: (bucket) => `s3://${bucket}`,
    close: () => api.close(),
  };
}

async function* list(api: S3Api, bucket: string, prefix: string): AsyncGenerator<ListedObject> {
  let token: string | undefined;
  do {
    const page = await api.listObjects(bucket, prefix, token).catch((error) => {
      throw describeS3Error(error, `s3://${bucket}/${prefix} could not be listed`);
    });
    yield* page.objects;
    token = page.next;
  } while (token !== undefined);
}

async function discardUnfinished(api: S3Api, bucket: string, of: ObjectsOfSource): Promise<void> {
  const prefix = objectKeyPrefix(of.route, of.table);
  try {
    for (const upload of await api.listOpenUploads(bucket, prefix)) {
      if (parseObjectKey(upload.key)?.node !== of.node) continue;
      await api.abortUpload(bucket, upload).catch((error) => {
        if (s3Answer(error).name !== "NoSuchUpload") throw error; // else it has ended meanwhile
      });
    }
  } catch (error) {
    throw describeS3Error(error, `Unfinished uploads below s3://${bucket}/${prefix} could not be removed`);
  }
}

async function read(api: S3Api, bucket: string, key: string): Promise<Uint8Array> {
  try {
    return (await api.getObject(bucket, key)).bytes;
  } catch (error) {
    throw describeS3Error(error, `s3://${bucket}/${key} could not be read`);
  }
}
