import { join } from "node:path";
import { GetCallerIdentityCommand } from "@aws-sdk/client-sts";
import { UploaderError } from "../../src/core/errors.ts";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { describeAwsError } from "./aws-errors.ts";
import { type ChangeReport, createChangeReport } from "./change-report.ts";
import { openConnection, stsClient } from "./connection.ts";
import {
  bucketVariable,
  readBucketFile,
  readKeyFile,
  SECRET_NAMES,
  type Variables,
} from "./credential-files.ts";
import { type EnvFile, readEnvFile, removeEnvFile, writeEnvFile } from "./env-file.ts";
import { awsProgram, print, runProgram } from "./program.ts";

const NAME = "setup-credentials";

const program = awsProgram(
  NAME,
  "setup | check | clear [options]",
  "Keep the keys and the names of the buckets in .env, and print no secret",
)
  .options({
    folder: {
      type: "string",
      default: ".",
      description: "The folder of .env and credentials/, seen from the root of the repository",
    },
  })
  .command(
    "setup",
    "Write .env from credentials/expanso-s3-env.sh and credentials/expanso-databricks-s3.yaml",
    (command) => command,
    (argv) => setUp(argv.folder, createChangeReport(argv["dry-run"], print)),
  )
  .command(
    "check",
    "Say what .env holds and what it lacks, without any value of a key",
    (command) =>
      command.option("online", {
        type: "boolean",
        default: false,
        description: "Also ask AWS whose keys they are (done with --endpoint-url, too)",
      }),
    (argv) => check(argv.folder, argv.online, argv["endpoint-url"]),
  )
  .command(
    "clear",
    "Remove .env, if this script has written it",
    (command) => command,
    (argv) => clear(argv.folder, createChangeReport(argv["dry-run"], print)),
  )
  .demandCommand(1, 1, "A command is missing: setup, check or clear");

const REQUIRED = [
  ...["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "S3_REGION"],
  ...PIPELINE_TYPES.map(bucketVariable),
];

await runProgram(NAME, program);

function setUp(folder: string, report: ChangeReport): void {
  const path = join(folder, ".env");
  const keys = readKeyFile(join(folder, "credentials/expanso-s3-env.sh"));
  const buckets = readBucketFile(join(folder, "credentials/expanso-databricks-s3.yaml"));
  const { AWS_DEFAULT_REGION, AWS_REGION = AWS_DEFAULT_REGION ?? buckets.S3_REGION ?? "", ...others } = keys;
  const wanted: Variables = { ...others, AWS_REGION, ...buckets };
  const found = readEnvFile(path);
  report.title(path);
  if (AWS_REGION !== buckets.S3_REGION)
    report.note(`AWS_REGION is ${AWS_REGION}; the uploader goes to S3_REGION, ${buckets.S3_REGION}`);
  reportModes(found, report);
  for (const name of new Set([...Object.keys(found?.variables ?? {}), ...Object.keys(wanted)]))
    reportVariable(name, found?.variables[name], wanted[name], report);
  if (!report.dryRun && report.changes() > 0) writeEnvFile(path, wanted);
  report.summary();
}

function reportModes(found: EnvFile | null, report: ChangeReport): void {
  if (found === null) report.made("file", "mode 600");
  else if (found.mode === 0o600) report.alreadySo("file", "mode 600");
  else report.changed("mode", found.mode.toString(8), "600");
}

function reportVariable(
  name: string,
  found: string | undefined,
  wanted: string | undefined,
  report: ChangeReport,
): void {
  const shown = (value: string) => (SECRET_NAMES.includes(name) ? "a value that is not shown" : value);
  if (wanted === undefined) report.removed(name);
  else if (found === undefined) report.made(name, shown(wanted));
  else if (found === wanted) report.alreadySo(name, shown(wanted));
  else if (SECRET_NAMES.includes(name)) report.changed(name, "the old value", "the new one");
  else report.changed(name, found, wanted);
}

async function check(folder: string, online: boolean, endpointUrl: string | undefined): Promise<void> {
  const path = join(folder, ".env");
  const found = readEnvFile(path);
  if (found === null)
    throw new UploaderError({
      code: "CONFIG_INVALID",
      message: `There is no ${path}.`,
      hint: "Write it with scripts/setup-credentials.sh setup.",
    });
  const { variables } = found;
  print(path);
  for (const [name, value] of Object.entries(variables))
    print(`  there: ${name}${SECRET_NAMES.includes(name) ? "" : `=${value}`}`);
  const faults = faultsOf(found);
  for (const fault of faults) print(`  WRONG: ${fault}`);
  if (faults.length > 0)
    throw new UploaderError({
      code: "CONFIG_INVALID",
      message: `${path} is not as it should be.`,
      hint: "Run scripts/setup-credentials.sh setup.",
    });
  if (online || endpointUrl !== undefined) await printIdentity(variables, endpointUrl);
  print("All that the uploader needs is there.");
}

function faultsOf({ variables, mode }: EnvFile): string[] {
  const missing = REQUIRED.filter((name) => !variables[name]);
  return [
    ...missing.map((name) => `${name} is missing`),
    ...(mode === 0o600 ? [] : [`its mode is ${mode.toString(8)}, so that others may read it`]),
  ];
}

/** The account and the name that the keys in the file belong to, whatever the environment says. */
async function printIdentity(variables: Variables, endpointUrl: string | undefined): Promise<void> {
  const {
    AWS_ACCESS_KEY_ID = "",
    AWS_SECRET_ACCESS_KEY = "",
    AWS_SESSION_TOKEN,
    AWS_REGION = "",
  } = variables;
  const credentials = {
    accessKeyId: AWS_ACCESS_KEY_ID,
    secretAccessKey: AWS_SECRET_ACCESS_KEY,
    ...(AWS_SESSION_TOKEN ? { sessionToken: AWS_SESSION_TOKEN } : {}),
  };
  const sts = stsClient({ ...openConnection(AWS_REGION, endpointUrl), credentials });
  try {
    const { Account, Arn } = await sts.send(new GetCallerIdentityCommand());
    print(`  AWS knows the keys: account ${Account}, ${Arn}`);
  } catch (error) {
    throw describeAwsError(error, "AWS does not take the keys");
  } finally {
    sts.destroy();
  }
}

function clear(folder: string, report: ChangeReport): void {
  const path = join(folder, ".env");
  report.title(path);
  if (readEnvFile(path) === null) report.alreadySo("no such file");
  else {
    if (!report.dryRun) removeEnvFile(path);
    report.removed("file");
  }
  report.summary();
}
