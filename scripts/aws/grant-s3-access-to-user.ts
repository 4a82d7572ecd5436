import { UploaderError } from "../../src/core/errors.ts";
import { BUCKET_OPTIONS, bucketsOf } from "./buckets.ts";
import { createChangeReport } from "./change-report.ts";
import { iamClient, openConnection } from "./connection.ts";
import { putRight } from "./desired-state.ts";
import { assertThere, type Holder, inlinePolicy } from "./inline-policy.ts";
import { uploaderPolicy } from "./policy-files.ts";
import { awsProgram, print, runProgram } from "./program.ts";

const NAME = "grant-s3-access-to-user";

const program = awsProgram(
  NAME,
  "--user USER | --role ROLE --prefix PREFIX --region REGION [options]",
  "Grant a user or a role what the uploader needs in the four buckets (docs/iam-policy.json), and no more",
).command(
  "$0",
  false,
  (command) =>
    command.options({
      user: { type: "string", description: "The IAM user" },
      role: { type: "string", description: "The IAM role, such as that of an instance" },
      ...BUCKET_OPTIONS,
      "kms-key": { type: "string", description: "ARN of the KMS key that the buckets are encrypted with" },
      revoke: { type: "boolean", default: false, description: "Take the grant away instead" },
    }),
  async (argv) => {
    const holder = holderOf(argv.user, argv.role);
    const connection = openConnection(argv.region, argv["endpoint-url"]);
    bucketsOf(argv.prefix, argv.region);
    const policy = uploaderPolicy(argv.prefix, argv.region, argv["kms-key"] ?? null);
    const report = createChangeReport(argv["dry-run"], print);
    const iam = iamClient(connection);
    try {
      await assertThere(iam, holder);
      report.title(`${holder.kind} ${holder.name}`);
      const policyName = `databricks-uploader-${argv.prefix}-${argv.region}`;
      const grant = inlinePolicy(iam, holder, policyName, argv.revoke ? null : policy);
      await putRight(`${holder.kind} ${holder.name}`, [grant], report);
      report.summary();
    } finally {
      iam.destroy();
    }
  },
);

await runProgram(NAME, program);

function holderOf(user: string | undefined, role: string | undefined): Holder {
  if (user && !role) return { kind: "user", name: user };
  if (role && !user) return { kind: "role", name: role };
  throw new UploaderError({ code: "USAGE", message: "Give --user or --role, one of them." });
}
