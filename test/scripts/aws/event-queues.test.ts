import {
  CreateBucketCommand,
  GetBucketNotificationConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import {
  CreateQueueCommand,
  DeleteQueueCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  ReceiveMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";
import { beforeEach, expect, test } from "vitest";
import { bucketsOf } from "../../../scripts/aws/buckets.ts";
import { type AwsAccount, awsAccount } from "../../support/aws-account.ts";
import { suiteFor } from "../../support/s3-servers.ts";

const NAMED = ["--prefix", "acme", "--region", "us-west-2"];
const RAW = "acme-databricks-raw-us-west-2";
const QUEUE = `${RAW}-events`;

suiteFor("moto", "scripts/create-databricks-access.sh --event-queues", (server) => {
  let account: AwsAccount;
  let sqs: SQSClient;
  beforeEach(async () => {
    account = awsAccount(server());
    await account.reset();
    const { endpoint, accessKeyId, secretAccessKey } = server();
    sqs = new SQSClient({ region: "us-west-2", endpoint, credentials: { accessKeyId, secretAccessKey } });
    // Without policies: moto takes their Deny without its condition, and no object could be put.
    for (const { name: Bucket } of bucketsOf("acme", "us-west-2"))
      await server().client.send(
        new CreateBucketCommand({ Bucket, CreateBucketConfiguration: { LocationConstraint: "us-west-2" } }),
      );
  });
  const run = (...options: string[]) => account.run("create-databricks-access", [...NAMED, ...options]);
  const make = (...options: string[]) => run("--external-id", "e5f6", "--event-queues", ...options);
  const url = async () => (await sqs.send(new GetQueueUrlCommand({ QueueName: QUEUE }))).QueueUrl ?? "";
  const queues = async () => (await sqs.send(new ListQueuesCommand())).QueueUrls ?? [];
  const notifications = async () =>
    (await server().client.send(new GetBucketNotificationConfigurationCommand({ Bucket: RAW })))
      .QueueConfigurations ?? [];
  const messages = async () => {
    const received = await sqs.send(
      new ReceiveMessageCommand({ QueueUrl: await url(), WaitTimeSeconds: 2, MaxNumberOfMessages: 10 }),
    );
    return (received.Messages ?? []).map(({ Body = "" }) => Body).join();
  };

  test("they are made, made again, and told of new objects of data alone", async () => {
    const dry = await make("--dry-run");
    expect(dry).toMatchObject({ code: 0, stderr: "" });
    expect(await queues()).toEqual([]);
    const made = await make();
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toContain(`queue URL: ${await url()}`);
    expect(await queues()).toHaveLength(4);
    expect((await make()).stdout).toContain("0 made, 0 changed, 0 removed,");

    await messages();
    for (const Key of ["_owner/edge-7/t.json", "raw/t/a.parquet"])
      await server().client.send(new PutObjectCommand({ Bucket: RAW, Key, Body: "1" }));
    const told = await messages();
    expect(told).toContain("a.parquet");
    expect(told).not.toContain("_owner");
  });

  test("what was changed by hand is put right, and a notification of somebody else stays", async () => {
    await make();
    const QueueUrl = await url();
    await sqs.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy: "" } }));
    await sqs.send(new CreateQueueCommand({ QueueName: "theirs" }));
    const QueueArn = "arn:aws:sqs:us-west-2:123456789012:theirs";
    await server().client.send(
      new PutBucketNotificationConfigurationCommand({
        Bucket: RAW,
        NotificationConfiguration: {
          QueueConfigurations: [{ Id: "theirs", QueueArn, Events: ["s3:ObjectRemoved:*"] }],
        },
      }),
    );
    const { stdout } = await make();
    expect(stdout).toContain("note: notification theirs is not ours and stays");
    expect((await notifications()).map(({ Id }) => Id)).toEqual(["theirs", "databricks-uploader-raw"]);
    expect((await make()).stdout).toContain("0 made, 0 changed, 0 removed,");

    expect(await run("--delete")).toMatchObject({ code: 0, stderr: "" });
    expect((await notifications()).map(({ Id }) => Id)).toEqual(["theirs"]);
    expect(await queues()).toEqual([expect.stringContaining("/theirs")]);
  });

  test("a queue of somebody else is left alone", async () => {
    await make();
    await sqs.send(new DeleteQueueCommand({ QueueUrl: await url() }));
    await sqs.send(new CreateQueueCommand({ QueueName: QUEUE }));
    expect(await make()).toMatchObject({ code: 2, stderr: expect.stringContaining("has not made") });
    expect(await make("--file-events")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("exclude"),
    });
  });
});
