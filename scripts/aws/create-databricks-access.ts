import { UploaderError } from "../../src/core/errors.ts";
import { accountOf } from "./account.ts";
import { BUCKET_OPTIONS, bucketsOf } from "./buckets.ts";
import { createChangeReport } from "./change-report.ts";
import { iamClient, openConnection, partitionOf, s3Client, sqsClient } from "./connection.ts";
import { deleteDatabricksRole } from "./delete-databricks-role.ts";
import { deleteEventQueue } from "./delete-event-queues.ts";
import { desiredDatabricksRole } from "./desired-databricks-role.ts";
import { desiredEventQueue, queueUrlOf } from "./desired-event-queue.ts";
import { putRight } from "./desired-state.ts";
import { eventQueueOf } from "./event-queues.ts";
import { awsProgram, print, runProgram } from "./program.ts";

const NAME = "create-databricks-access";

/**
 * Databricks' role on AWS outside of GovCloud and China.
 * https://docs.databricks.com/aws/en/connect/unity-catalog/cloud-storage/s3/s3-external-location-manual
 */
const UNITY_CATALOG_ROLE = "arn:aws:iam::414351767826:role/unity-catalog-prod-UCMasterRole-14S5ZJVKOTYTL";
/** Stands in the trust policy until the storage credential is there and has said its own. */
const PLACEHOLDER = "0000";

const program = awsProgram(
  NAME,
  "--prefix PREFIX --region REGION --external-id ID [options]",
  "Make the IAM role for a storage credential of Unity Catalog, which may read the four buckets, and put it right",
).command(
  "$0",
  false,
  (command) =>
    command.options({
      ...BUCKET_OPTIONS,
      "external-id": {
        type: "string",
        description: `As the storage credential gives it; ${PLACEHOLDER} until there is one`,
      },
      role: {
        type: "string",
        description: "Its name [default: {prefix}-databricks-access-{region}]",
      },
      "unity-catalog-role": {
        type: "string",
        description:
          "ARN of Databricks' role, as the storage credential gives it [default: that of AWS's commercial regions]",
      },
      "file-events": {
        type: "boolean",
        default: false,
        description:
          "Also let Databricks make the topics and queues (csms-*) that tell Auto Loader of new objects",
      },
      "event-queues": {
        type: "boolean",
        default: false,
        description:
          "Instead of --file-events: make a queue for each bucket that is told of new objects, and let Databricks read it",
      },
      "kms-key": { type: "string", description: "ARN of the KMS key that the buckets are encrypted with" },
      delete: {
        type: "boolean",
        default: false,
        description: "Delete the role, the queues and our notifications",
      },
    }),
  async (argv) => {
    const { prefix, region } = argv;
    const connection = openConnection(region, argv["endpoint-url"]);
    const buckets = bucketsOf(prefix, region);
    if (argv["file-events"] && argv["event-queues"])
      throw new UploaderError({
        code: "USAGE",
        message: "--file-events and --event-queues exclude each other.",
        hint: "S3 has no overlapping notifications, so either Databricks makes them or this script.",
      });
    const name = argv.role ?? `${prefix}-databricks-access-${region}`;
    const report = createChangeReport(argv["dry-run"], print);
    const iam = iamClient(connection);
    const sqs = sqsClient(connection);
    const s3 = s3Client(connection);
    const queuesOf = (account: string) => buckets.map((bucket) => eventQueueOf(bucket, account, region));
    try {
      if (argv.delete) {
        report.title(`role ${name}`);
        await deleteDatabricksRole(iam, name, report);
        if (!prefix.includes("."))
          for (const queue of queuesOf(await accountOf(connection)))
            await deleteEventQueue(sqs, s3, queue, report);
        return report.summary();
      }
      const externalId = given(argv["external-id"], "--external-id");
      const unityCatalogRole = unityCatalogRoleOf(argv["unity-catalog-role"], region);
      const account = await accountOf(connection);
      const arn = `arn:${partitionOf(region)}:iam::${account}:role/${name}`;
      const role = {
        ...{ name, account, prefix, region, externalId, unityCatalogRole },
        fileEvents: argv["file-events"],
        eventQueues: argv["event-queues"],
        kmsKey: argv["kms-key"] ?? null,
      };
      report.title(arn);
      if (externalId === PLACEHOLDER)
        report.note(`make the storage credential with this role, and run this again with its external id`);
      await putRight(`role ${name}`, desiredDatabricksRole(iam, role), report);
      for (const queue of argv["event-queues"] ? queuesOf(account) : []) {
        report.title(queue.name);
        await putRight(`queue ${queue.name}`, desiredEventQueue(sqs, s3, queue), report);
        const url = await queueUrlOf(sqs, queue);
        if (url) print(`  queue URL: ${url}`);
      }
      report.summary();
    } finally {
      iam.destroy();
      sqs.destroy();
      s3.destroy();
    }
  },
);

await runProgram(NAME, program);

function given(value: string | undefined, option: string): string {
  if (value) return value;
  throw new UploaderError({
    code: "USAGE",
    message: `${option} is missing.`,
    hint: `See scripts/${NAME}.sh --help.`,
  });
}

function unityCatalogRoleOf(value: string | undefined, region: string): string {
  if (value === undefined && partitionOf(region) === "aws") return UNITY_CATALOG_ROLE;
  const arn = given(value, "--unity-catalog-role");
  if (/^arn:aws[\w-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/.test(arn)) return arn;
  throw new UploaderError({
    code: "CONFIG_INVALID",
    message: `--unity-catalog-role ${JSON.stringify(arn)} is not the ARN of a role.`,
  });
}
