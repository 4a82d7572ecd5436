import { IAMClient } from "@aws-sdk/client-iam";
import { S3Client } from "@aws-sdk/client-s3";
import { SQSClient } from "@aws-sdk/client-sqs";
import { STSClient } from "@aws-sdk/client-sts";
import { UploaderError } from "../../src/core/errors.ts";
import { isInsecure } from "../../src/core/transport.ts";

/** Where requests go; credentials come from the SDK's default chain. */
export interface Connection {
  readonly region: string;
  /** null: AWS's own. */
  readonly endpointUrl: string | null;
  /** Instead of the default chain's. */
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
}

/** @throws {UploaderError} CONFIG_INVALID for a region or endpoint that cannot be one */
export function openConnection(region: string, endpointUrl: string | undefined): Connection {
  assertRegion(region);
  if (endpointUrl === undefined) return { region, endpointUrl: null };
  const url = URL.canParse(endpointUrl) ? new URL(endpointUrl) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password)
    throw new UploaderError({
      code: "CONFIG_INVALID",
      message: "--endpoint-url is not the URL of a server.",
      hint: "Give it as https://host:port, without a user.",
    });
  if (isInsecure(url))
    throw new UploaderError({
      code: "CONFIG_INVALID",
      message: `--endpoint-url ${url.origin} is on another machine and has no TLS.`,
      hint: "Use https.",
    });
  return { region, endpointUrl: url.href };
}

/** @throws {UploaderError} CONFIG_INVALID */
export function assertRegion(region: string): void {
  if (!/^[a-z]{2,3}(-[a-z]+)+-\d+$/.test(region))
    throw new UploaderError({
      code: "CONFIG_INVALID",
      message: `${JSON.stringify(region)} is not a region.`,
      hint: "Name one as AWS does: us-west-2.",
    });
}

export function s3Client(connection: Connection): S3Client {
  return new S3Client({ ...clientSettings(connection), forcePathStyle: connection.endpointUrl !== null });
}

export function iamClient(connection: Connection): IAMClient {
  return new IAMClient(clientSettings(connection));
}

export function sqsClient(connection: Connection): SQSClient {
  return new SQSClient(clientSettings(connection));
}

export function stsClient(connection: Connection): STSClient {
  return new STSClient(clientSettings(connection));
}

/** The second part of every ARN: `aws`, but for China and GovCloud. */
export function partitionOf(region: string): string {
  if (region.startsWith("cn-")) return "aws-cn";
  return region.startsWith("us-gov-") ? "aws-us-gov" : "aws";
}

// As in src/sink/s3-api.ts: the SDK would print that Node.js 20 is old, among what the scripts print.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";

/** What every client of the SDK is made with. */
export function clientSettings({ region, endpointUrl, credentials }: Connection) {
  return {
    region,
    ...(endpointUrl === null ? {} : { endpoint: endpointUrl }),
    ...(credentials === undefined ? {} : { credentials }),
  };
}
