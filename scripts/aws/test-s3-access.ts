import type { S3Client } from "@aws-sdk/client-s3";
import { UploaderError } from "../../src/core/errors.ts";
import { NEEDED, PROBE_KEY, type Probe, probe, UNNEEDED } from "./access-probes.ts";
import { describeAwsError } from "./aws-errors.ts";
import { bucketsOf } from "./buckets.ts";
import { openConnection, s3Client } from "./connection.ts";
import { allowedActions, uploaderPolicy } from "./policy-files.ts";
import { awsProgram, print, runProgram } from "./program.ts";

const NAME = "test-s3-access";

const program = awsProgram(
  NAME,
  "PREFIX REGION [options]",
  "Try each action that the uploader needs in the four buckets with the credentials that it would find, and that others are refused",
).command(
  "$0 [prefix] [region]",
  false,
  (command) =>
    command
      .positional("prefix", { type: "string", description: "The prefix of the buckets" })
      .positional("region", { type: "string", description: "Their region" }),
  async (argv) => {
    const { prefix, region } = argv;
    if (!prefix || !region)
      throw new UploaderError({
        code: "USAGE",
        message: "The prefix of the buckets or their region is missing.",
        hint: `Give both: scripts/${NAME}.sh your-company us-west-2.`,
      });
    const connection = openConnection(region, argv["endpoint-url"]);
    const buckets = bucketsOf(prefix, region);
    assertComplete(allowedActions(uploaderPolicy(prefix, region, null)));
    if (argv["dry-run"]) return printPlan(buckets.map(({ name }) => name));
    const s3 = s3Client(connection);
    try {
      const findings = { missing: 0, needless: 0 };
      for (const { name } of buckets) {
        print(name);
        findings.missing += await tryAll(s3, name, NEEDED, "allowed");
        findings.needless += await tryAll(s3, name, UNNEEDED, "denied");
      }
      printLeftBehind(buckets.map(({ name }) => name));
      conclude(findings, prefix, region);
    } finally {
      s3.destroy();
    }
  },
);

await runProgram(NAME, program);

/** The policy is the one place that says what is needed. */
function assertComplete(actions: readonly string[]): void {
  const untried = actions.filter((action) => !NEEDED.some((known) => known.action === action));
  if (untried.length === 0 && actions.length === NEEDED.length) return;
  throw new Error(`scripts/aws/access-probes.ts and docs/iam-policy.json differ: ${untried.join(", ")}`);
}

function printPlan(buckets: readonly string[]): void {
  const names = (probes: readonly Probe[]) => probes.map(({ action }) => action).join(", ");
  print(`would try in ${buckets.join(", ")}:`);
  print(`  needed: ${names(NEEDED)}`);
  print(`  to be refused: ${names(UNNEEDED)}`);
  print(`Dry run, nothing was asked. It would leave an object of 0 bytes in each bucket, ${PROBE_KEY}.`);
}

/** Prints each result; the number of those that are not as expected. */
async function tryAll(
  s3: S3Client,
  bucket: string,
  probes: readonly Probe[],
  expected: "allowed" | "denied",
): Promise<number> {
  let unexpected = 0;
  for (const tried of probes) {
    const result = await probe(tried, s3, bucket).catch((error) => {
      throw describeAwsError(error, `${bucket}, ${tried.action}`);
    });
    const line = `${tried.action} is ${result}`;
    if (result === expected) {
      print(`  as it should be: ${line}`);
    } else {
      unexpected += 1;
      print(expected === "allowed" ? `  MISSING: ${line}` : `  TOO MUCH: ${line}`);
    }
  }
  return unexpected;
}

/** The object is the same one each time: it is put if it is not there, and the tested user may not delete it. */
function printLeftBehind(buckets: readonly string[]): void {
  print(
    `An object of 0 bytes, ${PROBE_KEY}, stays where it could be put, since the uploader may not delete.`,
  );
  print("The next test uses it again. An administrator removes it by:");
  for (const bucket of buckets) print(`  aws s3 rm s3://${bucket}/${PROBE_KEY}`);
}

function conclude(
  { missing, needless }: { readonly missing: number; readonly needless: number },
  prefix: string,
  region: string,
): void {
  if (missing === 0 && needless === 0) {
    print("All as it should be.");
    return;
  }
  throw new UploaderError({
    code: "SINK_DENIED",
    message: `${missing} grants are missing, ${needless} are more than the uploader needs.`,
    hint:
      missing > 0
        ? `Let an administrator run scripts/grant-s3-access-to-user.sh --user USER --prefix ${prefix} --region ${region}, and look for a bucket policy or a KMS key that denies.`
        : "Shipping works. What is too much comes from another policy of this user, its groups or the bucket: take it away there.",
  });
}
