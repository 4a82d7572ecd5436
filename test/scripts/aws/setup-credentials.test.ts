import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSettings } from "../../../src/config/load-settings.ts";
import { awsAccount, runScript, type ScriptOutcome } from "../../support/aws-account.ts";
import { suiteFor } from "../../support/s3-servers.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const KEY_ID = "AKIAIOSFODNN7EXAMPLE";
const SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const KEYS = `# the uploader's
export AWS_ACCESS_KEY_ID="${KEY_ID}"
export AWS_SECRET_ACCESS_KEY='${SECRET}'   # since May
AWS_REGION=us-west-2
`;
const BUCKETS = `s3_bucket_prefix: "your-company"
s3_region: "us-west-2"
s3_buckets:
  raw: "your-company-databricks-raw-us-west-2"
  schematized: "your-company-databricks-schematized-us-west-2"
  aggregated: "your-company-databricks-aggregated-us-west-2"
  emergency: "elsewhere-emergency"
`;

interface Site {
  readonly folder: string;
  readonly env: string;
  run(...parameters: string[]): Promise<ScriptOutcome>;
}

function openSite(keys = KEYS, buckets = BUCKETS): Site {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "credentials"));
  writeFileSync(join(folder, "credentials/expanso-s3-env.sh"), keys);
  writeFileSync(join(folder, "credentials/expanso-databricks-s3.yaml"), buckets);
  return {
    folder,
    env: join(folder, ".env"),
    async run(...parameters) {
      const outcome = await runScript("setup-credentials", [...parameters, "--folder", folder], {});
      for (const secret of [KEY_ID, SECRET])
        expect([outcome.stdout, outcome.stderr].join("\n")).not.toContain(secret);
      return outcome;
    },
  };
}

const modeOf = (path: string) => (statSync(path).mode & 0o777).toString(8);

test("setup writes .env for its owner alone, as a shell and the uploader read it", async () => {
  const site = openSite();
  const dry = await site.run("setup", "--dry-run");
  expect(dry.stdout).toContain("would make AWS_SECRET_ACCESS_KEY: a value that is not shown");
  expect(existsSync(site.env)).toBe(false);
  expect(await site.run("setup")).toMatchObject({ code: 0, stderr: "" });
  expect(modeOf(site.env)).toBe("600");
  expect(readdirSync(site.folder).sort()).toEqual([".env", "credentials"]);

  const lines = readFileSync(site.env, "utf8").trim().split("\n").slice(1);
  const env = Object.fromEntries(lines.map((line) => line.split(/=(.*)/s) as [string, string]));
  expect(env).toMatchObject({
    AWS_ACCESS_KEY_ID: KEY_ID,
    AWS_SECRET_ACCESS_KEY: SECRET,
    AWS_REGION: "us-west-2",
  });
  const argv = { sqlite: "s.db", table: "t" };
  const { sink } = loadSettings({ argv, env, cwd: site.folder, hostname: "h" });
  expect(sink).toMatchObject({
    kind: "s3",
    region: "us-west-2",
    buckets: { raw: "your-company-databricks-raw-us-west-2", emergency: "elsewhere-emergency" },
  });
});

test("made again nothing changes; a new key, and a mode that was opened, are put right", async () => {
  const site = openSite();
  await site.run("setup");
  expect((await site.run("setup")).stdout).toContain("0 made, 0 changed, 0 removed, 10 already so.");
  chmodSync(site.env, 0o644);
  expect(await site.run("check")).toMatchObject({
    code: 2,
    stdout: expect.stringContaining("WRONG: its mode is 644, so that others may read it"),
  });
  writeFileSync(join(site.folder, "credentials/expanso-s3-env.sh"), KEYS.replace("/K7", "/K8"));
  const { stdout } = await site.run("setup");
  expect(stdout).toContain("changed mode from 644 to 600");
  expect(stdout).toContain("changed AWS_SECRET_ACCESS_KEY from the old value to the new one");
  expect(modeOf(site.env)).toBe("600");
  expect(readFileSync(site.env, "utf8")).toContain("/K8");
});

test("a prefix alone names the buckets", async () => {
  const site = openSite(KEYS, "s3_bucket_prefix: acme\ns3_region: eu-west-1\n");
  const { stdout } = await site.run("setup");
  expect(stdout).toContain("made S3_BUCKET_RAW: acme-databricks-raw-eu-west-1");
  expect(stdout).toContain("note: AWS_REGION is us-west-2; the uploader goes to S3_REGION, eu-west-1");
});

test("nothing in the file of keys is executed, and no line of it is repeated", async () => {
  const marker = join(temporaryFolder(), "executed");
  for (const value of [`$(touch ${marker})`, `\`touch ${marker}\``, "a; touch b", '"unclosed', "$OTHER"]) {
    const site = openSite(`${KEYS}export AWS_SESSION_TOKEN=${value}\n`);
    const outcome = await site.run("setup");
    expect(outcome).toMatchObject({ code: 2, stdout: "" });
    expect(outcome.stderr).toContain('line 5, is not of the form export NAME="value"');
    expect(outcome.stderr).not.toContain(value);
    expect(existsSync(site.env) || existsSync(marker)).toBe(false);
  }
});

test.each([
  ["a missing key", 'export AWS_ACCESS_KEY_ID="a"', BUCKETS, "AWS_SECRET_ACCESS_KEY is missing in"],
  ["a stranger among the keys", `${KEYS}export PATH=/tmp`, BUCKETS, "sets PATH; only AWS_ACCESS_KEY_ID"],
  ["no buckets", KEYS, "s3_region: us-west-2", "s3_bucket_prefix in"],
  ["an unknown key", KEYS, `${BUCKETS}s3_bucket: x`, "s3_bucket in"],
  ["an unknown type", KEYS, `${BUCKETS}  gold: x`, "s3_buckets.gold in"],
  [
    "a name that no bucket has",
    KEYS,
    BUCKETS.replace("elsewhere", "Else"),
    "may hold only lower-case letters",
  ],
  ["no region", KEYS, BUCKETS.replace('"us-west-2"', "here"), '"here" is not a region'],
  ["no YAML", KEYS, "s3_region: [", "is not YAML"],
])("%s is said, and nothing is written", async (_, keys, buckets, message) => {
  const site = openSite(keys, buckets);
  const outcome = await site.run("setup");
  expect(outcome).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
  expect(existsSync(site.env)).toBe(false);
});

test("a .env of somebody else is neither written over nor removed", async () => {
  const site = openSite();
  writeFileSync(site.env, "SENSOR_RATE=5\n");
  for (const command of ["setup", "check", "clear"])
    expect((await site.run(command)).stderr).toContain(
      "was not written by this script, and is left as it is",
    );
  expect(readFileSync(site.env, "utf8")).toBe("SENSOR_RATE=5\n");
});

test("clear removes it, once", async () => {
  const site = openSite();
  await site.run("setup");
  expect((await site.run("clear", "--dry-run")).stdout).toContain("would remove file");
  expect(existsSync(site.env)).toBe(true);
  expect((await site.run("clear")).stdout).toContain("removed file");
  expect(existsSync(site.env)).toBe(false);
  expect((await site.run("clear")).stdout).toContain("already so: no such file");
  expect(await site.run("check")).toMatchObject({ code: 2 });
});

test("a command is needed", async () => {
  expect((await openSite().run()).stderr).toContain("A command is missing: setup, check or clear");
});

suiteFor("moto", "setup-credentials.sh check", (server) => {
  test("asks whose keys they are, and says where nobody's", async () => {
    const account = awsAccount(server());
    await account.reset();
    const user = await account.createUser("edge", ["sts:GetCallerIdentity"]);
    const site = openSite(
      `export AWS_ACCESS_KEY_ID=${user.accessKeyId}\nexport AWS_SECRET_ACCESS_KEY=${user.secretAccessKey}\n`,
    );
    await site.run("setup");
    const endpoint = ["--endpoint-url", server().endpoint];
    const known = await account.enforcingIam(() => site.run("check", ...endpoint));
    expect(known.stdout).toContain(
      "AWS knows the keys: account 123456789012, arn:aws:iam::123456789012:user/edge",
    );
    expect(known.stdout).toContain("there: AWS_SECRET_ACCESS_KEY\n");
    expect(known.stdout).toContain("All that the uploader needs is there.");
    expect(known.stdout + known.stderr).not.toContain(user.secretAccessKey);

    await account.reset();
    const unknown = await account.enforcingIam(() => site.run("check", ...endpoint));
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining("AWS does not take the keys") });
    expect(unknown.stderr).not.toContain(user.accessKeyId);
  });
});
