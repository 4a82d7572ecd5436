import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { bucketStatements, mergePolicy } from "../../../scripts/aws/bucket-policy.ts";
import { bucketsOf } from "../../../scripts/aws/buckets.ts";
import { roleDocuments } from "../../../scripts/aws/desired-databricks-role.ts";
import { eventQueueOf, queuePolicy } from "../../../scripts/aws/event-queues.ts";
import { uploaderPolicy } from "../../../scripts/aws/policy-files.ts";
import { roleDocuments as instanceDocuments } from "../../../scripts/spot/role-documents.ts";
import { suiteWith } from "../../support/suite-with.ts";

const CACHE = process.env.UPLOADER_TEST_CACHE || join(homedir(), ".cache", "databricks-uploader");
const PARLIAMENT = join(CACHE, "venv-moto", "bin", "parliament");
const KEY = "arn:aws:kms:us-west-2:123456789012:key/00000000-0000-0000-0000-000000000000";

const NAME = "acme-databricks-access-us-west-2";
const ROLE = `arn:aws:iam::123456789012:role/${NAME}`;

const role = roleDocuments({
  name: NAME,
  account: "123456789012",
  prefix: "acme",
  region: "us-west-2",
  unityCatalogRole: "arn:aws:iam::414351767826:role/unity-catalog",
  externalId: "e5f6",
  fileEvents: true,
  eventQueues: true,
  kmsKey: KEY,
});

const instance = instanceDocuments({
  fleet: "line-7",
  account: "123456789012",
  prefix: "acme",
  region: "us-west-2",
  kmsKey: null,
  sessionManager: true,
});

interface Finding {
  readonly issue: string;
  readonly detail: unknown;
}

function lint(document: unknown): Promise<Finding[]> {
  return new Promise((resolve, reject) => {
    const child = execFile(PARLIAMENT, ["--json"], (error, stdout, stderr) => {
      // 1 says that there are findings.
      if (error && error.code !== 1) return reject(new Error(stderr));
      const lines = stdout.split("\n").filter((line) => line !== "");
      resolve(lines.map((line) => JSON.parse(line)));
    });
    child.stdin?.end(JSON.stringify(document));
  });
}

const missing = existsSync(PARLIAMENT) ? null : `${PARLIAMENT} is not installed`;
suiteWith(missing, "policy documents, linted by parliament", () => {
  const bucketPolicies = bucketsOf("acme", "us-west-2").flatMap((bucket) =>
    [false, true].map((conditional): [string, unknown] => [
      `the policy of the bucket ${bucket.type}${conditional ? " for conditional writes" : ""}`,
      mergePolicy(null, bucketStatements(bucket, "us-west-2", conditional)),
    ]),
  );
  test.each<[string, unknown]>([
    ["what an uploader may do", uploaderPolicy("acme", "us-west-2", null)],
    ["what an uploader may do, with a key", uploaderPolicy("acme", "us-west-2", KEY)],
    ["what Databricks may read", role.read],
    ["what Databricks does with its queue", role.eventQueues],
    ...bucketsOf("acme", "us-west-2").map((bucket): [string, unknown] => [
      `the policy of the queue ${bucket.type}`,
      queuePolicy(eventQueueOf(bucket, "123456789012", "us-west-2")),
    ]),
    ["how an instance gets its volume", instance.attachVolume],
    ["what Session Manager needs", instance.sessionManager],
    ...bucketPolicies,
  ])("%s has no finding", async (_, document) => {
    expect(await lint(document)).toEqual([]);
  });

  test.each([
    ["of Databricks", role.trust],
    ["of an instance", instance.trust],
  ])("the trust policy %s has none", async (_, trust) => {
    // What it is a trust policy of is its resource, and parliament wants one.
    const Statement = trust.Statement.map((statement) => ({ ...statement, Resource: ROLE }));
    expect(await lint({ ...trust, Statement })).toEqual([]);
  });

  test("what file events need has one: Databricks asks for sns:Unsubscribe on its own topics", async () => {
    // AWS takes it on "*" alone; all subscriptions of the account would be too much for what topics take with them.
    expect(await lint(role.fileEvents)).toMatchObject([
      { issue: "RESOURCE_MISMATCH", detail: [{ action: "sns:Unsubscribe", required_format: "*" }] },
    ]);
  });

  test("an action that does not exist is found", async () => {
    const Statement = [{ Effect: "Allow", Action: "s3:PutObjects", Resource: "*" }];
    expect(await lint({ Version: "2012-10-17", Statement })).toMatchObject([{ issue: "UNKNOWN_ACTION" }]);
  });
});

test("no capital word of the files is left, and other partitions have their own ARNs", () => {
  const text = JSON.stringify([role, uploaderPolicy("acme", "us-west-2", null)]);
  expect(text).not.toMatch(/PREFIX|REGION|ACCOUNT|ROLE|EXTERNAL_ID|UNITY_CATALOG/);
  expect(JSON.stringify(uploaderPolicy("acme", "cn-north-1", null))).toContain(
    "arn:aws-cn:s3:::acme-databricks-*",
  );
});
