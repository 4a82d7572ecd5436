import {
  AttachRolePolicyCommand,
  CreatePolicyCommand,
  CreateRoleCommand,
  DeleteRolePolicyCommand,
  GetRoleCommand,
  GetRolePolicyCommand,
  UpdateAssumeRolePolicyCommand,
} from "@aws-sdk/client-iam";
import {
  DeleteObjectCommand,
  GetBucketLocationCommand,
  GetBucketNotificationConfigurationCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { AssumeRoleCommand, STSClient } from "@aws-sdk/client-sts";
import { beforeEach, expect, test } from "vitest";
import { type AwsAccount, awsAccount, type Credentials } from "../../support/aws-account.ts";
import { suiteFor } from "../../support/s3-servers.ts";

const SCRIPT = "create-databricks-access";
const NAMED = ["--prefix", "acme", "--region", "us-west-2"];
const RoleName = "acme-databricks-access-us-west-2";
const ARN = `arn:aws:iam::123456789012:role/${RoleName}`;
const UNITY_CATALOG = "arn:aws:iam::414351767826:role/unity-catalog-prod-UCMasterRole-14S5ZJVKOTYTL";
const RAW = "acme-databricks-raw-us-west-2";
const document = (statement: Record<string, unknown>) =>
  JSON.stringify({ Version: "2012-10-17", Statement: [{ Effect: "Allow", ...statement }] });
const OTHER_TRUST = document({ Principal: { Service: "ec2.amazonaws.com" }, Action: "sts:AssumeRole" });
const OTHER_POLICY = document({ Action: "s3:ListAllMyBuckets", Resource: "*" });

suiteFor("moto", "scripts/create-databricks-access.sh", (server) => {
  let account: AwsAccount;
  beforeEach(async () => {
    account = awsAccount(server());
    await account.reset();
  });
  const make = (...parameters: string[]) => account.run(SCRIPT, [...NAMED, ...parameters]);
  const role = async () => (await account.iam.send(new GetRoleCommand({ RoleName }))).Role;
  const trust = async () =>
    JSON.parse(decodeURIComponent((await role())?.AssumeRolePolicyDocument ?? "null")).Statement[0];
  const policy = async (PolicyName: string) =>
    (await account.iam.send(new GetRolePolicyCommand({ RoleName, PolicyName }))).PolicyDocument;

  test("the role trusts Unity Catalog and itself, with the external id alone", async () => {
    const dry = await make("--external-id", "0000", "--dry-run");
    expect(dry.stdout).toContain("It would be: 2 made");
    await expect(role()).rejects.toThrow();

    const made = await make("--external-id", "0000");
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toContain("run this again with its external id");
    expect(await trust()).toEqual({
      Effect: "Allow",
      Principal: { AWS: [UNITY_CATALOG, ARN] },
      Action: "sts:AssumeRole",
      Condition: { StringEquals: { "sts:ExternalId": "0000" } },
    });
    expect((await role())?.Tags).toEqual([{ Key: "managed-by", Value: "databricks-uploader" }]);

    const trusted = await make("--external-id", "e5f6", "--unity-catalog-role", UNITY_CATALOG);
    expect(trusted.stdout).toContain("0 made, 1 changed, 0 removed, 1 already so.");
    expect((await trust()).Condition).toEqual({ StringEquals: { "sts:ExternalId": "e5f6" } });
    const again = await make("--external-id", "e5f6");
    expect(again.stdout).toContain("0 made, 0 changed, 0 removed, 2 already so.");
  });

  test("what was changed by hand is put right", async () => {
    await make("--external-id", "e5f6", "--file-events");
    await account.iam.send(new UpdateAssumeRolePolicyCommand({ RoleName, PolicyDocument: OTHER_TRUST }));
    await account.iam.send(new DeleteRolePolicyCommand({ RoleName, PolicyName: "databricks-read" }));
    const { stdout } = await make("--external-id", "e5f6", "--file-events");
    expect(stdout).toContain("1 made, 1 changed, 0 removed, 1 already so.");
    expect((await trust()).Principal.AWS).toContain(ARN);
    expect(await policy("databricks-read")).toContain("s3");
  });

  test("with IAM in force the role reads the buckets, and sees their events with --file-events alone", async () => {
    await server().createBuckets([RAW, "other-bucket"]);
    for (const Bucket of [RAW, "other-bucket"])
      await server().client.send(new PutObjectCommand({ Bucket, Key: "raw/a", Body: "1" }));
    await make("--external-id", "e5f6");
    const admin = await account.createUser("admin", ["*"]);
    const s3 = account.s3(await assume(admin));
    const isRefused = (request: Promise<unknown>) =>
      expect(request).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });
    const notifications = new GetBucketNotificationConfigurationCommand({ Bucket: RAW });
    await account.enforcingIam(async () => {
      await s3.send(new ListObjectsV2Command({ Bucket: RAW }));
      await s3.send(new GetBucketLocationCommand({ Bucket: RAW }));
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: RAW, Key: "raw/a" }));
      expect(await Body?.transformToString()).toBe("1");
      await isRefused(s3.send(new PutObjectCommand({ Bucket: RAW, Key: "raw/b", Body: "1" })));
      await isRefused(s3.send(new DeleteObjectCommand({ Bucket: RAW, Key: "raw/a" })));
      await isRefused(s3.send(new GetObjectCommand({ Bucket: "other-bucket", Key: "raw/a" })));
      await isRefused(s3.send(notifications));
    });
    await make("--external-id", "e5f6", "--file-events");
    await account.enforcingIam(() => s3.send(notifications));
    expect((await make("--external-id", "e5f6")).stdout).toContain("removed policy databricks-file-events");
    await account.enforcingIam(() => isRefused(s3.send(notifications)));
  });

  async function assume(credentials: Credentials) {
    const { endpoint } = server();
    const sts = new STSClient({ region: "us-west-2", endpoint, credentials });
    const { Credentials: given } = await sts.send(
      new AssumeRoleCommand({ RoleArn: ARN, RoleSessionName: "lake", ExternalId: "e5f6" }),
    );
    return {
      accessKeyId: given?.AccessKeyId ?? "",
      secretAccessKey: given?.SecretAccessKey ?? "",
      sessionToken: given?.SessionToken ?? "",
    };
  }

  test("it is deleted with its policies, unless others have added some", async () => {
    await make("--external-id", "e5f6", "--file-events");
    expect((await make("--delete", "--dry-run")).stdout).toContain("would remove role");
    const { Policy } = await account.iam.send(
      new CreatePolicyCommand({ PolicyName: "theirs", PolicyDocument: OTHER_POLICY }),
    );
    await account.iam.send(new AttachRolePolicyCommand({ RoleName, PolicyArn: Policy?.Arn }));
    expect(await make("--delete")).toMatchObject({ code: 2, stderr: expect.stringContaining("theirs") });
    expect(await policy("databricks-read")).toBeTruthy();

    await account.reset();
    await make("--external-id", "e5f6", "--file-events");
    expect((await make("--delete")).stdout).toContain("0 made, 0 changed, 3 removed, 0 already so.");
    await expect(role()).rejects.toThrow();
    expect((await make("--delete")).stdout).toContain("already so: no such role");
  });

  test("a role of somebody else is neither changed nor deleted", async () => {
    await account.iam.send(new CreateRoleCommand({ RoleName, AssumeRolePolicyDocument: OTHER_TRUST }));
    for (const parameters of [["--external-id", "e5f6"], ["--delete"]])
      expect(await make(...parameters)).toMatchObject({
        code: 2,
        stderr: expect.stringContaining("that this script has not made, and it is left as it is"),
      });
  });

  test("an external id is needed, and in GovCloud the role of Databricks", async () => {
    expect((await make()).stderr).toContain("--external-id is missing");
    const gov = ["--prefix", "acme", "--region", "us-gov-west-1", "--external-id", "e5f6"];
    expect((await account.run(SCRIPT, gov)).stderr).toContain("--unity-catalog-role is missing");
  });
});
