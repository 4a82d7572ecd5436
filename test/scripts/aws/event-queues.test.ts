import { GetRolePolicyCommand, PutRolePolicyCommand } from "@aws-sdk/client-iam";
import {
  CreateBucketCommand,
  GetBucketNotificationConfigurationCommand,
  PutBucketNotificationConfigurationCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import {
  ChangeMessageVisibilityCommand,
  CreateQueueCommand,
  DeleteMessageCommand,
  DeleteQueueCommand,
  GetQueueAttributesCommand,
  GetQueueUrlCommand,
  ListQueuesCommand,
  ListQueueTagsCommand,
  PurgeQueueCommand,
  ReceiveMessageCommand,
  SendMessageCommand,
  SetQueueAttributesCommand,
  SQSClient,
  TagQueueCommand,
} from "@aws-sdk/client-sqs";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { beforeEach, expect, test } from "vitest";
import { bucketsOf } from "../../../scripts/aws/buckets.ts";
import { type AwsAccount, awsAccount, type Credentials } from "../../support/aws-account.ts";
import { suiteFor } from "../../support/s3-servers.ts";

const NAMED = ["--prefix", "acme", "--region", "us-west-2"];
const RAW = "acme-databricks-raw-us-west-2";
const QUEUE = `${RAW}-events`;
const ROLE = "acme-databricks-access-us-west-2";

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

  test("its encryption and its tags are put right, and a tag of somebody else stays", async () => {
    await make();
    const QueueUrl = await url();
    const KmsMasterKeyId = "alias/aws/sqs";
    await sqs.send(
      new SetQueueAttributesCommand({
        QueueUrl,
        Attributes: { SqsManagedSseEnabled: "false", KmsMasterKeyId },
      }),
    );
    await sqs.send(new TagQueueCommand({ QueueUrl, Tags: { "pipeline-type": "none", team: "lake" } }));
    const dry = await make("--dry-run");
    expect(dry.stdout).toContain(`would change queue encryption from ${KmsMasterKeyId} to SSE-SQS`);
    const { stdout } = await make();
    // "1 made" is the policy, which moto drops when another attribute is set.
    expect(stdout).toContain("1 made, 2 changed, 0 removed,");
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }),
    );
    expect(Attributes).toMatchObject({ SqsManagedSseEnabled: "true" });
    expect(Attributes?.KmsMasterKeyId || undefined).toBeUndefined();
    expect((await sqs.send(new ListQueueTagsCommand({ QueueUrl }))).Tags).toEqual({
      "managed-by": "databricks-uploader",
      "pipeline-type": "raw",
      team: "lake",
    });
    expect((await make()).stdout).toContain("0 made, 0 changed, 0 removed,");
  });

  test("with IAM in force the role reads and empties a queue with --event-queues alone, and does no more", async () => {
    await make();
    const QueueUrl = await url();
    const { Attributes } = await sqs.send(
      new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["QueueArn"] }),
    );
    const statement = await rightsForAllQueues();
    expect(statement.Resource).toHaveLength(4);
    expect(statement.Resource).toContain(Attributes?.QueueArn);
    const role = await queuesAs(await account.createUser("admin", ["*"]));
    const isRefused = (request: Promise<unknown>) =>
      expect(request).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
    await sqs.send(new SendMessageCommand({ QueueUrl, MessageBody: "new" }));
    await account.enforcingIam(async () => {
      expect(await role.send(new GetQueueUrlCommand({ QueueName: QUEUE }))).toMatchObject({ QueueUrl });
      await role.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ["All"] }));
      const { Messages = [] } = await role.send(new ReceiveMessageCommand({ QueueUrl }));
      const message = { QueueUrl, ReceiptHandle: Messages[0]?.ReceiptHandle };
      await role.send(new ChangeMessageVisibilityCommand({ ...message, VisibilityTimeout: 60 }));
      await role.send(new DeleteMessageCommand(message));
      await role.send(new PurgeQueueCommand({ QueueUrl }));
      await isRefused(role.send(new SendMessageCommand({ QueueUrl, MessageBody: "forged" })));
      await isRefused(role.send(new SetQueueAttributesCommand({ QueueUrl, Attributes: { Policy: "" } })));
      await isRefused(role.send(new DeleteQueueCommand({ QueueUrl })));
    });
    const without = await run("--external-id", "e5f6");
    expect(without.stdout).toContain("removed policy databricks-event-queues");
    await account.enforcingIam(() => isRefused(role.send(new ReceiveMessageCommand({ QueueUrl }))));
  });

  /**
   * Gives the role the same rights to all queues, since moto asks IAM about "*" whatever the queue.
   *
   * @returns the statement as it was
   */
  async function rightsForAllQueues() {
    const name = { RoleName: ROLE, PolicyName: "databricks-event-queues" };
    const { PolicyDocument = "" } = await account.iam.send(new GetRolePolicyCommand(name));
    const [statement] = JSON.parse(decodeURIComponent(PolicyDocument)).Statement;
    const Statement = [{ ...statement, Resource: "*" }];
    const wide = JSON.stringify({ Version: "2012-10-17", Statement });
    await account.iam.send(new PutRolePolicyCommand({ ...name, PolicyDocument: wide }));
    return statement;
  }

  /** SQS as Databricks asks it, by the role that was made. */
  async function queuesAs(credentials: Credentials): Promise<SQSClient> {
    const { endpoint } = server();
    const sts = new STSClient({ region: "us-west-2", endpoint, credentials });
    const { Credentials: given } = await sts.send(
      new AssumeRoleCommand({
        RoleArn: `arn:aws:iam::123456789012:role/${ROLE}`,
        RoleSessionName: "lake",
        ExternalId: "e5f6",
      }),
    );
    return new SQSClient({
      region: "us-west-2",
      endpoint,
      credentials: {
        accessKeyId: given?.AccessKeyId ?? "",
        secretAccessKey: given?.SecretAccessKey ?? "",
        sessionToken: given?.SessionToken ?? "",
      },
    });
  }

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
