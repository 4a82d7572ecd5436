import { type Bucket, dataFolders, OWNER_FOLDER } from "./buckets.ts";
import { partitionOf } from "./connection.ts";

export interface Statement {
  readonly Sid?: string;
  readonly [element: string]: unknown;
}

export interface PolicyDocument {
  readonly Version?: string;
  readonly Statement: readonly Statement[];
}

const OWN_SIDS = ["OnlyByTls", "OnlyNewObjects", "OnlyOnCondition"];

/**
 * The statements of a bucket's policy. Conditional writes are demanded in the way of
 * https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html: the requests that begin a
 * multipart upload or send a part create no object, and cannot carry a condition.
 */
export function bucketStatements(
  { name, type }: Bucket,
  region: string,
  conditionalWritesOnly: boolean,
): Statement[] {
  const bucket = `arn:${partitionOf(region)}:s3:::${name}`;
  const tlsOnly = {
    Sid: "OnlyByTls",
    Effect: "Deny",
    Principal: "*",
    Action: "s3:*",
    Resource: [bucket, `${bucket}/*`],
    Condition: { Bool: { "aws:SecureTransport": "false" } },
  };
  if (!conditionalWritesOnly) return [tlsOnly];
  const denyPut = (Sid: string, folders: readonly string[], absentKeys: readonly string[]) => ({
    Sid,
    Effect: "Deny",
    Principal: "*",
    Action: "s3:PutObject",
    Resource: folders.map((folder) => `${bucket}/${folder}*`),
    Condition: {
      Null: Object.fromEntries(absentKeys.map((key) => [key, "true"])),
      Bool: { "s3:ObjectCreationOperation": "true" },
    },
  });
  return [
    tlsOnly,
    denyPut("OnlyNewObjects", dataFolders(type), ["s3:if-none-match"]),
    // An ownership marker is put anew with If-None-Match, and raised with If-Match.
    denyPut("OnlyOnCondition", [OWNER_FOLDER], ["s3:if-none-match", "s3:if-match"]),
  ];
}

/** The policy with our statements as they should be, and those of others as they are. */
export function mergePolicy(found: PolicyDocument | null, own: readonly Statement[]): PolicyDocument {
  return { Version: found?.Version ?? "2012-10-17", Statement: [...foreignStatements(found), ...own] };
}

/** Statements that somebody else has added. */
export function foreignStatements(found: PolicyDocument | null): Statement[] {
  const statements = [found?.Statement ?? []].flat() as Statement[];
  return statements.filter(({ Sid }) => Sid === undefined || !OWN_SIDS.includes(Sid));
}
