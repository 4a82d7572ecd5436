import { CreateRoleCommand, GetUserPolicyCommand, PutUserPolicyCommand } from "@aws-sdk/client-iam";
import {
  DeleteObjectCommand,
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { beforeEach, expect, test } from "vitest";
import { uploaderPolicy } from "../../../scripts/aws/policy-files.ts";
import { createS3Sink } from "../../../src/sink/s3.ts";
import { type AwsAccount, awsAccount, type Credentials } from "../../support/aws-account.ts";
import { s3SinkOptions } from "../../support/s3-place.ts";
import { suiteFor } from "../../support/s3-servers.ts";

const GRANT = "grant-s3-access-to-user";
const TRY = "test-s3-access";
const NAMED = ["--prefix", "acme", "--region", "us-west-2"];
const NAMES = ["raw", "schematized", "aggregated", "emergency"].map(
  (type) => `acme-databricks-${type}-us-west-2`,
);
const RAW = NAMES[0] as string;
const USER = "expanso-databricks-s3-user";
const ARGUMENTS = ["--user", USER, ...NAMED];

suiteFor("moto", "scripts/grant-s3-access-to-user.sh and scripts/test-s3-access.sh", (server) => {
  let account: AwsAccount;
  let admin: Credentials;
  let user: Credentials;
  beforeEach(async () => {
    account = awsAccount(server());
    await account.reset();
    // Without a policy of their own, whose conditions moto does not look at.
    await server().createBuckets([...NAMES, "other-bucket"]);
    for (const Bucket of NAMES)
      await server().client.send(
        new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: "Enabled" } }),
      );
    admin = await account.createUser("admin", ["*"]);
    user = await account.createUser(USER);
  });
  const policyOf = async () => {
    const PolicyName = "databricks-uploader-acme-us-west-2";
    const { PolicyDocument = "" } = await account.iam.send(
      new GetUserPolicyCommand({ UserName: USER, PolicyName }),
    );
    return JSON.parse(decodeURIComponent(PolicyDocument));
  };
  const isRefused = (request: Promise<unknown>) =>
    expect(request).rejects.toMatchObject({ $metadata: { httpStatusCode: 403 } });

  test("the user gets docs/iam-policy.json, once", async () => {
    const dry = await account.run(GRANT, [...ARGUMENTS, "--dry-run"]);
    expect(dry.stdout).toContain(
      "would make policy databricks-uploader-acme-us-west-2: s3:AbortMultipartUpload",
    );
    await expect(policyOf()).rejects.toThrow();
    const made = await account.run(GRANT, ARGUMENTS);
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toContain("1 made, 0 changed, 0 removed, 0 already so.");
    expect(await policyOf()).toEqual(uploaderPolicy("acme", "us-west-2", null));
    expect((await account.run(GRANT, ARGUMENTS)).stdout).toContain(
      "0 made, 0 changed, 0 removed, 1 already so.",
    );
  });

  test("a grant that was changed by hand is put right, and taken away by --revoke", async () => {
    const wide = {
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: "s3:*", Resource: "*" }],
    };
    const PolicyName = "databricks-uploader-acme-us-west-2";
    await account.iam.send(
      new PutUserPolicyCommand({ UserName: USER, PolicyName, PolicyDocument: JSON.stringify(wide) }),
    );
    const { stdout } = await account.run(GRANT, ARGUMENTS);
    expect(stdout).toContain(`changed policy ${PolicyName} from s3:* to s3:AbortMultipartUpload`);
    expect(await policyOf()).toEqual(uploaderPolicy("acme", "us-west-2", null));
    expect((await account.run(GRANT, [...ARGUMENTS, "--revoke"])).stdout).toContain("1 removed");
    await expect(policyOf()).rejects.toThrow();
  });

  test("with IAM in force the user may ship, and do nothing else, nor anything elsewhere", async () => {
    await account.run(GRANT, ARGUMENTS);
    const s3 = account.s3(user);
    const sink = createS3Sink({ ...s3SinkOptions(server()), credentials: user });
    await account.enforcingIam(async () => {
      await sink.writeMarker(RAW, "_owner/n/t.json", "{}", null);
      expect((await sink.readMarker(RAW, "_owner/n/t.json"))?.text).toBe("{}");
      for await (const { key } of sink.list(RAW, "raw/")) expect(key).toBe("");
      await isRefused(s3.send(new DeleteObjectCommand({ Bucket: RAW, Key: "_owner/n/t.json" })));
      await isRefused(s3.send(new PutObjectCommand({ Bucket: "other-bucket", Key: "a", Body: "b" })));
      await isRefused(s3.send(new ListObjectsV2Command({ Bucket: "other-bucket" })));
      const tried = await account.run(TRY, ["acme", "us-west-2"], user);
      expect(tried).toMatchObject({ code: 0, stderr: "" });
      expect(tried.stdout.match(/as it should be: s3:\w+ is allowed/g)).toHaveLength(20);
      expect(tried.stdout.match(/as it should be: s3:\w+ is denied/g)).toHaveLength(20);
      for (const bucket of NAMES)
        expect(tried.stdout).toContain(`  aws s3 rm s3://${bucket}/_access-test/probe\n`);
      // What it has left there is no obstacle the next time.
      expect(await account.run(TRY, ["acme", "us-west-2"], user)).toMatchObject({ code: 0 });
    });
    const { client } = server();
    for (const Bucket of NAMES) {
      const { Versions = [] } = await client.send(new ListObjectVersionsCommand({ Bucket }));
      const probes = Versions.filter(({ Key }) => Key?.startsWith("_access-test/"));
      expect(probes.map(({ Key, Size }) => [Key, Size])).toEqual([["_access-test/probe", 0]]);
    }
  });

  test.each(uploaderPolicy("acme", "us-west-2", null).Statement.flatMap(({ Action }) => Action as string[]))(
    "without %s the missing grant is named",
    async (missing) => {
      const policy = uploaderPolicy("acme", "us-west-2", null);
      const Statement = policy.Statement.map((statement) => ({
        ...statement,
        Action: (statement.Action as string[]).filter((action) => action !== missing),
      }));
      const PolicyDocument = JSON.stringify({ ...policy, Statement });
      await account.iam.send(
        new PutUserPolicyCommand({ UserName: USER, PolicyName: "less", PolicyDocument }),
      );
      for (const Bucket of NAMES)
        await server().client.send(new PutObjectCommand({ Bucket, Key: "_access-test/probe", Body: "-" }));
      const tried = await account.enforcingIam(() => account.run(TRY, ["acme", "us-west-2"], user));
      expect(tried.code).toBe(1);
      expect([...new Set(tried.stdout.match(/MISSING: .*/g))]).toEqual([`MISSING: ${missing} is denied`]);
      expect(tried.stderr).toContain("4 grants are missing, 0 are more than the uploader needs.");
    },
  );

  test("a user who may more than is needed is told what", async () => {
    const tried = await account.enforcingIam(() => account.run(TRY, ["acme", "us-west-2"], admin));
    expect(tried.code).toBe(1);
    expect(tried.stdout).toContain("TOO MUCH: s3:DeleteObject is allowed");
    expect(tried.stdout).not.toContain("MISSING");
  });

  test("somebody who may not grant is told so, and no secret is in what is printed", async () => {
    const denied = await account.enforcingIam(() => account.run(GRANT, ARGUMENTS, user));
    expect(denied.code).toBe(1);
    expect(denied.stderr).toContain("Run this as somebody who may");
    for (const secret of [user.accessKeyId, user.secretAccessKey])
      expect(denied.stdout + denied.stderr).not.toContain(secret);
  });

  test("a role can be granted too; who does not exist, or both, is an error", async () => {
    const trust = JSON.stringify({ Version: "2012-10-17", Statement: [] });
    await account.iam.send(new CreateRoleCommand({ RoleName: "edge", AssumeRolePolicyDocument: trust }));
    const role = await account.run(GRANT, [
      "--role",
      "edge",
      ...NAMED,
      "--kms-key",
      "arn:aws:kms:us-west-2:1:key/k",
    ]);
    expect(role.stdout).toContain("kms:Decrypt, kms:GenerateDataKey");
    const nobody = await account.run(GRANT, ["--user", "nobody", ...NAMED]);
    expect(nobody).toMatchObject({ code: 2, stderr: expect.stringContaining("There is no user nobody") });
    expect(await account.run(GRANT, [...ARGUMENTS, "--role", "edge"])).toMatchObject({ code: 2 });
  });

  test("the access test without a region says what it wants, and nothing of that with --help", async () => {
    expect(await account.run(TRY, ["acme"], user)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("Give both: scripts/test-s3-access.sh your-company us-west-2."),
    });
    expect(await account.run(TRY, ["--help"], user)).toMatchObject({ code: 0, stderr: "" });
  });

  test("a dry run of the access test asks nothing", async () => {
    const { stdout } = await account.run(TRY, ["acme", "us-west-2", "--dry-run"], user);
    expect(stdout).toContain("Dry run, nothing was asked.");
    const { Contents = [] } = await server().client.send(new ListObjectsV2Command({ Bucket: RAW }));
    expect(Contents).toEqual([]);
  });
});
