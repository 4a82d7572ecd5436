import { UploaderError } from "../../src/core/errors.ts";
import { BUCKET_OPTIONS, bucketsOf } from "./buckets.ts";
import { createChangeReport } from "./change-report.ts";
import { openConnection, s3Client } from "./connection.ts";
import { deleteBuckets } from "./delete-buckets.ts";
import { desiredBucket } from "./desired-bucket.ts";
import { putRight } from "./desired-state.ts";
import { awsProgram, print, runProgram } from "./program.ts";

const NAME = "create-s3-buckets-admin";

const program = awsProgram(
  NAME,
  "--prefix PREFIX --region REGION [options]",
  "Make the four buckets and put right what of them is not as it should be",
).command(
  "$0",
  false,
  (command) =>
    command.options({
      ...BUCKET_OPTIONS,
      "create-folders": {
        type: "boolean",
        default: false,
        description: "Also put an object of no bytes for each folder of data, so that consoles show them",
      },
      "kms-key": {
        type: "string",
        description: "ARN of a KMS key to encrypt with (SSE-KMS); without it SSE-S3",
      },
      "conditional-writes-only": {
        type: "boolean",
        default: false,
        description: "Have the bucket policy refuse puts that could overwrite an object",
      },
      tag: {
        type: "string",
        array: true,
        default: [] as string[],
        description: "KEY=VALUE, for each bucket",
      },
      delete: {
        type: "boolean",
        default: false,
        description: "Delete the four buckets, if they are empty",
      },
      force: { type: "boolean", default: false, description: "With --delete: whatever is in them" },
    }),
  async (argv) => {
    const connection = openConnection(argv.region, argv["endpoint-url"]);
    const buckets = bucketsOf(argv.prefix, argv.region);
    const report = createChangeReport(argv["dry-run"], print);
    if (argv.force && !argv.delete)
      throw new UploaderError({ code: "USAGE", message: "--force goes with --delete." });
    const tags = parseTags(argv.tag);
    const s3 = s3Client(connection);
    try {
      if (argv.delete) await deleteBuckets(s3, buckets, argv.force, report);
      else
        for (const bucket of buckets) {
          report.title(bucket.name);
          const wishes = {
            region: argv.region,
            kmsKey: argv["kms-key"] ?? null,
            conditionalWritesOnly: argv["conditional-writes-only"],
            createFolders: argv["create-folders"],
            tags,
          };
          await putRight(bucket.name, desiredBucket(s3, bucket, wishes), report);
        }
      report.summary();
    } finally {
      s3.destroy();
    }
  },
);

await runProgram(NAME, program);

function parseTags(given: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    given.map((tag) => {
      const [, key, value] = /^([^=]+)=(.*)$/s.exec(tag) ?? [];
      if (key !== undefined && value !== undefined) return [key, value];
      throw new UploaderError({ code: "USAGE", message: `--tag ${JSON.stringify(tag)} is not KEY=VALUE.` });
    }),
  );
}
