import type { NotificationConfiguration, QueueConfiguration } from "@aws-sdk/client-s3";
import { UploaderError } from "../../src/core/errors.ts";
import type { PolicyDocument } from "./bucket-policy.ts";
import { type Bucket, dataFolders } from "./buckets.ts";
import { partitionOf } from "./connection.ts";

/** The queue that is told of a bucket's new objects. */
export interface EventQueue {
  readonly bucket: Bucket;
  readonly name: string;
  readonly arn: string;
  /** 12 digits */
  readonly account: string;
  readonly region: string;
}

/** @throws {UploaderError} CONFIG_INVALID for a bucket after which no queue can be named */
export function eventQueueOf(bucket: Bucket, account: string, region: string): EventQueue {
  const name = `${bucket.name}-events`;
  if (name.includes("."))
    throw new UploaderError({
      code: "CONFIG_INVALID",
      message: `A queue cannot be named ${JSON.stringify(name)}: it has a dot.`,
      hint: "Databricks reads no bucket with a dot in its name either; choose another prefix.",
    });
  return {
    bucket,
    name,
    account,
    region,
    arn: `arn:${partitionOf(region)}:sqs:${region}:${account}:${name}`,
  };
}

/** S3 alone sends to it, for this bucket of this account, and nobody without TLS. */
export function queuePolicy({ arn, account, bucket, region }: EventQueue): PolicyDocument {
  return {
    Version: "2012-10-17",
    Statement: [
      {
        Sid: "NewObjects",
        Effect: "Allow",
        Principal: { Service: "s3.amazonaws.com" },
        Action: "sqs:SendMessage",
        Resource: arn,
        Condition: {
          ArnEquals: { "aws:SourceArn": `arn:${partitionOf(region)}:s3:::${bucket.name}` },
          StringEquals: { "aws:SourceAccount": account },
        },
      },
      {
        Sid: "OnlyByTls",
        Effect: "Deny",
        Principal: "*",
        Action: "sqs:*",
        Resource: arn,
        Condition: { Bool: { "aws:SecureTransport": "false" } },
      },
    ],
  };
}

const OWN_ID = "databricks-uploader-";
const SUFFIX = ".parquet";

/** One for each folder of data. */
function ownNotifications({ bucket, arn }: EventQueue): QueueConfiguration[] {
  return dataFolders(bucket.type).map((folder) => ({
    Id: `${OWN_ID}${folder.slice(0, -1).replace("/", "-")}`,
    QueueArn: arn,
    Events: ["s3:ObjectCreated:*"],
    Filter: {
      Key: {
        FilterRules: [
          { Name: "prefix", Value: folder },
          { Name: "suffix", Value: SUFFIX },
        ],
      },
    },
  }));
}

/** The bucket's configuration with our notifications as they should be, and those of others as they are. */
export function mergeNotifications(
  found: NotificationConfiguration | null,
  queue: EventQueue,
): NotificationConfiguration {
  const others = withoutOwn(found ?? {});
  return {
    ...others,
    QueueConfigurations: [...(others.QueueConfigurations ?? []), ...ownNotifications(queue)],
  };
}

export function withoutOwn(found: NotificationConfiguration): NotificationConfiguration {
  const { QueueConfigurations = [], ...rest } = found;
  const others = QueueConfigurations.filter((one) => !isOwn(one));
  return others.length > 0 ? { ...rest, QueueConfigurations: others } : rest;
}

function isOwn({ Id }: { readonly Id?: string | undefined }): boolean {
  return Id?.startsWith(OWN_ID) ?? false;
}

/** All but those to EventBridge, which have neither name nor filter. */
function notifications(found: NotificationConfiguration) {
  const { QueueConfigurations = [], TopicConfigurations = [], LambdaFunctionConfigurations = [] } = found;
  return [...QueueConfigurations, ...TopicConfigurations, ...LambdaFunctionConfigurations];
}

export function foreignIds(found: NotificationConfiguration): string[] {
  return notifications(found).flatMap((one) => (isOwn(one) ? [] : [one.Id ?? "without a name"]));
}

/** `databricks-uploader-raw: s3:ObjectCreated:* raw/ .parquet` for each. */
export function notificationsText(found: NotificationConfiguration): string {
  return notifications(found)
    .map(({ Id, Events = [], Filter }) =>
      [`${Id}:`, ...Events, ...(Filter?.Key?.FilterRules ?? []).map(({ Value = "" }) => Value)].join(" "),
    )
    .join("; ");
}
