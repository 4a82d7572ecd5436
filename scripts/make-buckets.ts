import { CreateBucketCommand, HeadBucketCommand, NotFound, S3Client } from "@aws-sdk/client-s3";
import { derivedBucketName } from "../src/config/bucket-names.ts";
import { PIPELINE_TYPES } from "../src/core/types.ts";

/**
 * Makes the four buckets on a local S3 server where they are missing, for docker-compose.yml. Endpoint, prefix and
 * credentials come from the environment. Buckets on AWS need more than a name and are not made here.
 */
const { AWS_ENDPOINT_URL_S3: endpoint, S3_PREFIX: prefix, S3_REGION: region } = process.env;
if (!endpoint || !prefix || !region) {
  process.stderr.write("make-buckets: AWS_ENDPOINT_URL_S3, S3_PREFIX and S3_REGION must be set\n");
  process.exit(2);
}

const client = new S3Client({ endpoint, region, forcePathStyle: true });
try {
  for (const type of PIPELINE_TYPES) await makeBucket(derivedBucketName(prefix, type, region));
} catch (error) {
  process.stderr.write(`make-buckets: ${endpoint}: ${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
client.destroy();

async function makeBucket(Bucket: string): Promise<void> {
  const isNew = await isMissing(Bucket);
  if (isNew) await client.send(new CreateBucketCommand({ Bucket }));
  process.stdout.write(`${Bucket} ${isNew ? "is made" : "is there"}\n`);
}

async function isMissing(Bucket: string): Promise<boolean> {
  try {
    await client.send(new HeadBucketCommand({ Bucket }));
    return false;
  } catch (error) {
    if (error instanceof NotFound) return true;
    throw error;
  }
}
