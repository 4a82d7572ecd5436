import {
  CreateMultipartUploadCommand,
  DeleteBucketPolicyCommand,
  DeletePublicAccessBlockCommand,
  GetBucketEncryptionCommand,
  GetBucketLifecycleConfigurationCommand,
  GetBucketLocationCommand,
  GetBucketOwnershipControlsCommand,
  GetBucketPolicyCommand,
  GetBucketTaggingCommand,
  GetBucketVersioningCommand,
  GetPublicAccessBlockCommand,
  type LifecycleRule,
  ListBucketsCommand,
  ListObjectsV2Command,
  PutBucketEncryptionCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketOwnershipControlsCommand,
  PutBucketPolicyCommand,
  PutBucketTaggingCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from "@aws-sdk/client-s3";
import { beforeEach, expect, test } from "vitest";
import { parseObjectKey } from "../../../src/core/object-key.ts";
import { type AwsAccount, awsAccount, runScript, type ScriptOutcome } from "../../support/aws-account.ts";
import { suiteFor } from "../../support/s3-servers.ts";

const SCRIPT = "create-s3-buckets-admin";
const NAMED = ["--prefix", "acme", "--region", "us-west-2"];
const NAMES = ["raw", "schematized", "aggregated", "emergency"].map(
  (type) => `acme-databricks-${type}-us-west-2`,
);
const [RAW = "", SCHEMATIZED = "", AGGREGATED = "", EMERGENCY = ""] = NAMES;

suiteFor("moto", "scripts/create-s3-buckets-admin.sh", (server) => {
  let account: AwsAccount;
  beforeEach(async () => {
    account = awsAccount(server());
    await account.reset();
  });
  const create = (...parameters: string[]): Promise<ScriptOutcome> =>
    account.run(SCRIPT, [...NAMED, ...parameters]);
  const buckets = async () => (await server().client.send(new ListBucketsCommand())).Buckets ?? [];
  const rules = async (Bucket: string): Promise<LifecycleRule[]> =>
    (await server().client.send(new GetBucketLifecycleConfigurationCommand({ Bucket }))).Rules ?? [];
  const policy = async (Bucket: string) =>
    JSON.parse((await server().client.send(new GetBucketPolicyCommand({ Bucket }))).Policy ?? "null");
  const keys = async (Bucket: string) =>
    (await server().client.send(new ListObjectsV2Command({ Bucket }))).Contents?.map(({ Key }) => Key);

  test("makes four buckets that are closed, versioned, encrypted and reached by TLS alone", async () => {
    const made = await create();
    expect(made).toMatchObject({ code: 0, stderr: "" });
    expect(made.stdout).toContain("32 made, 0 changed, 0 removed, 0 already so.");
    expect((await buckets()).map(({ Name }) => Name).sort()).toEqual([...NAMES].sort());
    const { client } = server();
    for (const Bucket of NAMES) {
      expect((await client.send(new GetBucketLocationCommand({ Bucket }))).LocationConstraint).toBe(
        "us-west-2",
      );
      const block = await client.send(new GetPublicAccessBlockCommand({ Bucket }));
      expect(Object.values(block.PublicAccessBlockConfiguration ?? {})).toEqual([true, true, true, true]);
      expect((await client.send(new GetBucketVersioningCommand({ Bucket }))).Status).toBe("Enabled");
      const encryption = await client.send(new GetBucketEncryptionCommand({ Bucket }));
      expect(encryption.ServerSideEncryptionConfiguration?.Rules?.[0]).toMatchObject({
        ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "AES256" },
      });
      const ownership = await client.send(new GetBucketOwnershipControlsCommand({ Bucket }));
      expect(ownership.OwnershipControls?.Rules).toEqual([{ ObjectOwnership: "BucketOwnerEnforced" }]);
      expect(await policy(Bucket)).toMatchObject({
        Statement: [
          {
            Effect: "Deny",
            Principal: "*",
            Action: "s3:*",
            Resource: [`arn:aws:s3:::${Bucket}`, `arn:aws:s3:::${Bucket}/*`],
            Condition: { Bool: { "aws:SecureTransport": "false" } },
          },
        ],
      });
      const { TagSet } = await client.send(new GetBucketTaggingCommand({ Bucket }));
      expect(TagSet).toContainEqual({ Key: "managed-by", Value: "databricks-uploader" });
    }
  });

  test("objects age as their type says, and no rule touches ownership markers or takes old versions away", async () => {
    await create();
    const transitions = async (bucket: string, prefix: string) =>
      (await rules(bucket))
        .find(({ Filter }) => Filter?.Prefix === prefix)
        ?.Transitions?.map(({ Days, StorageClass }) => [Days, StorageClass]);
    const aged = (infrequent: number, glacier: number) => [
      [infrequent, "STANDARD_IA"],
      [glacier, "GLACIER"],
    ];
    expect(await transitions(RAW, "raw/")).toEqual(aged(30, 90));
    expect(await transitions(SCHEMATIZED, "schematized/")).toEqual(aged(60, 730));
    expect(await transitions(SCHEMATIZED, "rejected/schematized/")).toEqual(aged(60, 730));
    expect(await transitions(AGGREGATED, "aggregated/")).toEqual(aged(90, 1_095));
    expect(await rules(EMERGENCY)).toContainEqual(
      expect.objectContaining({ Filter: { Prefix: "emergency/" }, Expiration: { Days: 2_555 } }),
    );
    for (const bucket of NAMES)
      for (const rule of await rules(bucket)) {
        const prefix = rule.Filter?.Prefix ?? "";
        if (prefix === "")
          expect(rule).toMatchObject({ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } });
        if (prefix === "" || "_owner/".startsWith(prefix) || prefix.startsWith("_owner/"))
          expect([rule.Transitions ?? [], rule.Expiration]).toEqual([[], undefined]);
        expect(rule.NoncurrentVersionExpiration).toBeUndefined();
      }
  });

  test("made again, nothing changes", async () => {
    const options = ["--create-folders", "--conditional-writes-only", "--tag", "team=iot"];
    expect((await create(...options)).stdout).toContain("37 made, 0 changed, 0 removed, 0 already so.");
    const again = await create(...options);
    expect(again.stdout).toContain("\n0 made, 0 changed, 0 removed, 37 already so.");
  });

  test("what was changed by hand is put right, and what others have added stays", async () => {
    await create();
    const { client } = server();
    await client.send(new DeletePublicAccessBlockCommand({ Bucket: RAW }));
    await client.send(
      new PutBucketVersioningCommand({ Bucket: RAW, VersioningConfiguration: { Status: "Suspended" } }),
    );
    const foreignRule: LifecycleRule = {
      ID: "tidy",
      Status: "Enabled",
      Filter: { Prefix: "" },
      Expiration: { Days: 1 },
    };
    const changed = (await rules(RAW)).map((rule) =>
      rule.Filter?.Prefix === "raw/"
        ? { ...rule, Transitions: [{ Days: 31, StorageClass: "GLACIER" }] }
        : rule,
    ) as LifecycleRule[];
    await client.send(
      new PutBucketLifecycleConfigurationCommand({
        Bucket: RAW,
        LifecycleConfiguration: { Rules: [...changed, foreignRule] },
      }),
    );
    const foreignStatement = {
      Sid: "Analysts",
      Effect: "Allow",
      Principal: { AWS: "arn:aws:iam::123456789012:root" },
      Action: "s3:GetObject",
      Resource: `arn:aws:s3:::${RAW}/*`,
    };
    await client.send(
      new PutBucketPolicyCommand({
        Bucket: RAW,
        Policy: JSON.stringify({ Version: "2012-10-17", Statement: [foreignStatement] }),
      }),
    );
    await client.send(
      new PutBucketTaggingCommand({ Bucket: RAW, Tagging: { TagSet: [{ Key: "cost", Value: "7" }] } }),
    );

    const dry = await create("--dry-run");
    expect(dry.stdout).toContain("would change versioning from Suspended to Enabled");
    expect((await client.send(new GetBucketVersioningCommand({ Bucket: RAW }))).Status).toBe("Suspended");

    const { stdout } = await create();
    expect(stdout).toContain("made public access block: all of it");
    expect(stdout).toContain("changed versioning from Suspended to Enabled");
    expect(stdout).toMatch(
      /changed lifecycle from .*raw\/: GLACIER after 31 days.* to .*STANDARD_IA after 30/,
    );
    expect(stdout).toContain("note: lifecycle rule tidy is not ours and stays, but it reaches _owner/");
    expect(stdout).toContain("note: statement Analysts is not ours and stays");
    expect(stdout).toContain("1 made, 4 changed, 0 removed, 27 already so.");
    expect((await rules(RAW)).map(({ ID }) => ID)).toContain("tidy");
    expect((await policy(RAW)).Statement.map(({ Sid }: { Sid: string }) => Sid)).toEqual([
      "Analysts",
      "OnlyByTls",
    ]);
    const { TagSet } = await client.send(new GetBucketTaggingCommand({ Bucket: RAW }));
    expect(TagSet).toContainEqual({ Key: "cost", Value: "7" });
    expect((await create()).stdout).toContain("0 made, 0 changed, 0 removed, 32 already so.");
  });

  test("a dry run says what it would make, and makes nothing", async () => {
    const { code, stdout } = await create("--dry-run");
    expect(code).toBe(0);
    expect(stdout).toContain("would make bucket: us-west-2");
    expect(stdout).toContain("Dry run, nothing was changed. It would be: 32 made");
    expect(await buckets()).toEqual([]);
  });

  test("a KMS key and a policy for conditional writes come and go with their options", async () => {
    await create("--kms-key", "arn:aws:kms:us-west-2:123456789012:key/k", "--conditional-writes-only");
    const { client } = server();
    const encryption = await client.send(new GetBucketEncryptionCommand({ Bucket: RAW }));
    expect(encryption.ServerSideEncryptionConfiguration?.Rules).toEqual([
      {
        ApplyServerSideEncryptionByDefault: {
          SSEAlgorithm: "aws:kms",
          KMSMasterKeyID: "arn:aws:kms:us-west-2:123456789012:key/k",
        },
        BucketKeyEnabled: true,
      },
    ]);
    const [, data, markers] = (await policy(RAW)).Statement;
    expect(data).toMatchObject({
      Action: "s3:PutObject",
      Resource: [`arn:aws:s3:::${RAW}/raw/*`],
      Condition: { Null: { "s3:if-none-match": "true" }, Bool: { "s3:ObjectCreationOperation": "true" } },
    });
    expect(markers).toMatchObject({
      Resource: [`arn:aws:s3:::${RAW}/_owner/*`],
      Condition: { Null: { "s3:if-none-match": "true", "s3:if-match": "true" } },
    });
    const { stdout } = await create();
    expect(stdout).toContain(
      "changed encryption from aws:kms, with arn:aws:kms:us-west-2:123456789012:key/k to AES256",
    );
    expect((await policy(RAW)).Statement).toHaveLength(1);
  });

  test("folders are objects that nobody takes for data", async () => {
    await create("--create-folders");
    expect(await keys(RAW)).toEqual(["raw/"]);
    expect(await keys(SCHEMATIZED)).toEqual(["rejected/schematized/", "schematized/"]);
    expect(parseObjectKey("raw/")).toBeNull();
    expect(parseObjectKey("rejected/schematized/")).toBeNull();
  });

  test("buckets that hold something are deleted by force alone, old versions included", async () => {
    await server().createBuckets(NAMES);
    const { client } = server();
    await client.send(
      new PutBucketVersioningCommand({ Bucket: EMERGENCY, VersioningConfiguration: { Status: "Enabled" } }),
    );
    await client.send(new PutObjectCommand({ Bucket: EMERGENCY, Key: "emergency/a", Body: "1" }));
    const refused = await create("--delete");
    expect(refused.code).toBe(2);
    expect(refused.stderr).toContain(
      `Not empty, old versions and unfinished uploads included: ${EMERGENCY}.`,
    );
    expect(await buckets()).toHaveLength(4);

    expect((await create("--delete", "--force", "--dry-run")).stdout).toContain("would remove bucket");
    expect(await buckets()).toHaveLength(4);

    const forced = await create("--delete", "--force");
    expect(forced.stdout).toContain("removed object versions and delete markers: 1");
    expect(await buckets()).toEqual([]);
    expect((await create("--delete")).stdout).toContain("0 removed, 4 already so.");
  });

  test("an unfinished upload is something, and goes with --force", async () => {
    await create();
    const { client } = server();
    await client.send(new DeleteBucketPolicyCommand({ Bucket: RAW }));
    await client.send(new CreateMultipartUploadCommand({ Bucket: RAW, Key: "raw/a" }));
    expect(await create("--delete")).toMatchObject({ code: 2, stderr: expect.stringContaining(`: ${RAW}.`) });
    expect((await create("--delete", "--force")).stdout).toContain("removed unfinished uploads: 1");
    expect(await buckets()).toEqual([]);
  });

  test("owners, encryption and conditional writes that were changed by hand are put right", async () => {
    await create("--conditional-writes-only");
    const { client } = server();
    const Bucket = SCHEMATIZED;
    const OwnershipControls = { Rules: [{ ObjectOwnership: "ObjectWriter" as const }] };
    await client.send(new PutBucketOwnershipControlsCommand({ Bucket, OwnershipControls }));
    const key = { SSEAlgorithm: "aws:kms" as const, KMSMasterKeyID: "theirs" };
    await client.send(
      new PutBucketEncryptionCommand({
        Bucket,
        ServerSideEncryptionConfiguration: { Rules: [{ ApplyServerSideEncryptionByDefault: key }] },
      }),
    );
    const wanted = await policy(Bucket);
    const Policy = JSON.stringify({ ...wanted, Statement: wanted.Statement.slice(0, 1) });
    await client.send(new PutBucketPolicyCommand({ Bucket, Policy }));
    const { stdout } = await create("--conditional-writes-only");
    expect(stdout).toContain("changed object ownership from ObjectWriter to BucketOwnerEnforced");
    expect(stdout).toMatch(/changed encryption from aws:kms, with theirs.* to AES256/);
    expect(stdout).toContain("0 made, 3 changed, 0 removed, 29 already so.");
    expect(await policy(Bucket)).toEqual(wanted);
  });

  test("buckets with nothing but folders are empty", async () => {
    await create("--create-folders");
    expect(await create("--delete")).toMatchObject({ code: 0 });
    expect(await buckets()).toEqual([]);
  });

  test("a bucket that may not be looked at is perhaps another account's, which is said with both ways out", async () => {
    await create();
    const somebody = await account.createUser("somebody");
    const denied = await account.enforcingIam(() => account.run(SCRIPT, NAMED, somebody));
    expect(denied.code).toBe(1);
    expect(denied.stderr).toContain(`may not look at the bucket ${RAW}, or it is another account's.`);
    expect(denied.stderr).toContain("or choose another --prefix");
  });

  test("us-east-1 is made without a constraint, which S3 refuses there", async () => {
    const made = await account.run(SCRIPT, ["--prefix", "acme", "--region", "us-east-1"]);
    expect(made).toMatchObject({ code: 0, stderr: "" });
  });

  test("a name that no bucket can have, no region, and an open line to another machine are refused", async () => {
    const bad = (parameters: string[]) => account.run(SCRIPT, parameters);
    expect(await bad(["--prefix", "Acme", "--region", "us-west-2"])).toMatchObject({ code: 2 });
    expect((await bad(["--prefix", "acme", "--region", "here"])).stderr).toContain('"here" is not a region');
    const insecure = await runScript(SCRIPT, [...NAMED, "--endpoint-url", "http://s3.example.com"], {});
    expect(insecure).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("is on another machine and has no TLS"),
    });
    expect(await buckets()).toEqual([]);
  });
});
