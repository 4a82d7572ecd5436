import {
  CreateBucketCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  HeadBucketCommand,
  ListObjectsV2Command,
  PutBucketOwnershipControlsCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  PutPublicAccessBlockCommand,
  type S3Client,
} from "@aws-sdk/client-s3";
import { UploaderError } from "../../src/core/errors.ts";
import { orNull } from "./aws-errors.ts";
import { type Bucket, dataFolders } from "./buckets.ts";
import { encryption } from "./desired-bucket-encryption.ts";
import { bucketPolicy, lifecycle } from "./desired-bucket-rules.ts";
import type { Property } from "./desired-state.ts";

export interface BucketWishes {
  readonly region: string;
  /** null: SSE-S3 */
  readonly kmsKey: string | null;
  readonly conditionalWritesOnly: boolean;
  readonly createFolders: boolean;
  /** Beside our own. */
  readonly tags: Readonly<Record<string, string>>;
}

/** All that a bucket should be, in the order in which it has to become so. */
export function desiredBucket(s3: S3Client, bucket: Bucket, wishes: BucketWishes): Property[] {
  return [
    existence(s3, bucket, wishes.region),
    publicAccess(s3, bucket),
    ownership(s3, bucket),
    versioning(s3, bucket),
    encryption(s3, bucket, wishes.kmsKey),
    ...(wishes.createFolders
      ? dataFolders(bucket.type).map((folder) => folderMarker(s3, bucket, folder))
      : []),
    bucketPolicy(s3, bucket, wishes),
    lifecycle(s3, bucket),
    tags(s3, bucket, wishes.tags),
  ];
}

function existence(s3: S3Client, { name: Bucket }: Bucket, region: string): Property<string> {
  return {
    name: "bucket",
    async read() {
      const head = await orNull(s3.send(new HeadBucketCommand({ Bucket }))).catch((error) => {
        if (error?.$metadata?.httpStatusCode === 301) throw elsewhere(Bucket, region);
        if (error?.$metadata?.httpStatusCode === 403) throw closed(Bucket);
        throw error;
      });
      if (head?.BucketRegion && head.BucketRegion !== region) throw elsewhere(Bucket, region);
      return head && region;
    },
    wanted: () => region,
    async write() {
      // us-east-1 is the default, and refused as a constraint.
      const constraint =
        region === "us-east-1" ? {} : { CreateBucketConfiguration: { LocationConstraint: region as never } };
      await s3.send(new CreateBucketCommand({ Bucket, ...constraint })).catch((error) => {
        if (error?.name !== "BucketAlreadyExists") throw error;
        throw new UploaderError({
          code: "CONFIG_INVALID",
          message: `The name ${Bucket} is taken by another account.`,
          hint: "Choose another --prefix.",
        });
      });
    },
  };
}

function elsewhere(bucket: string, region: string): UploaderError {
  return new UploaderError({
    code: "CONFIG_INVALID",
    message: `There is a bucket ${bucket}, but not in ${region}.`,
    hint: "Give its region, or choose another --prefix.",
  });
}

/** S3 answers a HEAD without a body, so it does not say which of the two it is. */
function closed(bucket: string): UploaderError {
  return new UploaderError({
    code: "SINK_DENIED",
    message: `These credentials may not look at the bucket ${bucket}, or it is another account's.`,
    hint: "Run this as somebody who may (docs/AWS.md names the permissions), or choose another --prefix: all accounts share the names of buckets.",
  });
}

const ALL_BLOCKED = {
  BlockPublicAcls: true,
  IgnorePublicAcls: true,
  BlockPublicPolicy: true,
  RestrictPublicBuckets: true,
};

function publicAccess(s3: S3Client, { name: Bucket }: Bucket): Property<Partial<typeof ALL_BLOCKED>> {
  return {
    name: "public access block",
    async read() {
      const answer = await orNull(s3.send(new GetPublicAccessBlockCommand({ Bucket })));
      return (answer?.PublicAccessBlockConfiguration as Partial<typeof ALL_BLOCKED> | undefined) ?? null;
    },
    wanted: () => ALL_BLOCKED,
    async write(PublicAccessBlockConfiguration) {
      await s3.send(new PutPublicAccessBlockCommand({ Bucket, PublicAccessBlockConfiguration }));
    },
    text(state) {
      const blocked = Object.entries(state).flatMap(([what, isBlocked]) => (isBlocked ? [what] : []));
      return blocked.length === 4 ? "all of it" : blocked.join(", ") || "nothing";
    },
  };
}

function ownership(s3: S3Client, { name: Bucket }: Bucket): Property<string> {
  return {
    name: "object ownership",
    async read() {
      const answer = await orNull(s3.send(new GetBucketOwnershipControlsCommand({ Bucket })));
      return answer?.OwnershipControls?.Rules?.[0]?.ObjectOwnership ?? null;
    },
    wanted: () => "BucketOwnerEnforced",
    async write() {
      const OwnershipControls = { Rules: [{ ObjectOwnership: "BucketOwnerEnforced" as const }] };
      await s3.send(new PutBucketOwnershipControlsCommand({ Bucket, OwnershipControls }));
    },
  };
}

function versioning(s3: S3Client, { name: Bucket }: Bucket): Property<string> {
  return {
    name: "versioning",
    async read() {
      return (await orNull(s3.send(new GetBucketVersioningCommand({ Bucket }))))?.Status ?? null;
    },
    wanted: () => "Enabled",
    async write() {
      const VersioningConfiguration = { Status: "Enabled" as const };
      await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
    },
  };
}

function tags(
  s3: S3Client,
  { name: Bucket, type }: Bucket,
  given: Readonly<Record<string, string>>,
): Property<Record<string, string>> {
  return {
    name: "tags",
    async read() {
      const answer = await orNull(s3.send(new GetBucketTaggingCommand({ Bucket })));
      return answer && Object.fromEntries((answer.TagSet ?? []).map(({ Key, Value }) => [Key, Value]));
    },
    wanted: (found) => ({ ...found, "managed-by": "databricks-uploader", "pipeline-type": type, ...given }),
    async write(state) {
      const TagSet = Object.entries(state).map(([Key, Value]) => ({ Key, Value }));
      await s3.send(new PutBucketTaggingCommand({ Bucket, Tagging: { TagSet } }));
    },
    text: (state) =>
      Object.entries(state)
        .map(([key, value]) => `${key}=${value}`)
        .sort()
        .join(", ") || "none",
  };
}

/** An object of no bytes that lets a folder be seen in a console; no reader of objects takes it for data. */
function folderMarker(s3: S3Client, { name: Bucket }: Bucket, folder: string): Property<string> {
  return {
    name: `folder ${folder}`,
    async read() {
      // Of all keys that begin with it, it is the first.
      const page = await orNull(s3.send(new ListObjectsV2Command({ Bucket, Prefix: folder, MaxKeys: 1 })));
      return page?.Contents?.[0]?.Key === folder ? "" : null;
    },
    wanted: () => "",
    async write() {
      await s3.send(
        new PutObjectCommand({
          Bucket,
          Key: folder,
          Body: new Uint8Array(),
          ContentLength: 0,
          IfNoneMatch: "*",
        }),
      );
    },
  };
}
