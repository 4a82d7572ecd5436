import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { loadSettings } from "../../src/config/load-settings.ts";
import { systemClock } from "../../src/core/clock.ts";
import { describeError } from "../../src/core/errors.ts";
import { rebuildState } from "../../src/rebuild.ts";
import { createS3Sink } from "../../src/sink/s3.ts";
import { describeS3Error } from "../../src/sink/s3-errors.ts";
import { appendReadings } from "../support/readings.ts";
import { noLog } from "../support/run-in-process.ts";
import { s3SinkOptions } from "../support/s3-place.ts";
import { startS3Proxy } from "../support/s3-proxy.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { NODE, openSite, tallyScenario } from "./campaign.ts";
import { appendLarge } from "./large-rows.ts";
import { firstOf, openNetworkSite } from "./network-site.ts";

const tally = tallyScenario("9 security");

/** In the form of those that AWS gives out. */
const TOKEN = "FwoGZXIvYXdzEBYaDHqa0AP1tHx9zJm4kiLIAWOUkJ8tOkEnTokenTokenToken7+/pGmu4A==";

/** Modes by path below the state folder, `.` for itself. */
function modesOf(stateDir: string): Map<string, string> {
  const paths = [".", ...(readdirSync(stateDir, { recursive: true }) as string[])];
  return new Map(
    paths.map((path) => {
      const stats = statSync(join(stateDir, path));
      return [path, `${stats.isDirectory() ? "folder" : "file"} ${(stats.mode & 0o777).toString(8)}`];
    }),
  );
}

test.each([0o000, 0o022, 0o077])("the state is for its user alone, with a umask of %o", async (umask) => {
  const site = await openSite();
  appendReadings(site.db, 30);
  const before = process.umask(umask);
  const uploader = site.start(["--interval", "0.1", "--max-batch-size", "10"], {
    UPLOADER_FAILPOINT: "before-put:kill:2",
  });
  process.umask(before);
  expect(await uploader.finished).toMatchObject({ signal: "SIGKILL" });
  const modes = modesOf(site.stateDir);
  for (const name of [".", "outbox", "state.db", "state.db-wal", "state.db-shm", "lock.db", "lock.json"])
    expect([name, modes.has(name)]).toEqual([name, true]);
  expect([...modes.keys()].filter((name) => name.endsWith(".parquet"))).not.toEqual([]);
  expect(new Set(modes.values())).toEqual(new Set(["folder 700", "file 600"]));
  tally.add(await site.check());
});

test("what was open to others is closed to them at the next start", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  expect(await site.ship()).toMatchObject({ code: 0 });
  for (const name of ["state.db", "lock.db", "lock.json"]) chmodSync(join(site.stateDir, name), 0o644);
  for (const name of ["", "outbox"]) chmodSync(join(site.stateDir, name), 0o755);
  expect(await site.ship()).toMatchObject({ code: 0 });
  expect(new Set(modesOf(site.stateDir).values())).toEqual(new Set(["folder 700", "file 600"]));
  tally.add(await site.check());
});

const POLICY = JSON.parse(readFileSync(join(import.meta.dirname, "../../docs/iam-policy.json"), "utf8"));
const ALLOWED: Record<string, string[]> = Object.fromEntries(
  POLICY.Statement.map(({ Sid, Action }: { Sid: string; Action: string[] }) => [Sid, Action]),
);

/**
 * The action that S3 asks for, and what it is asked for on.
 * https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
 */
function actionOf(line: string): string {
  const [method = "", target = ""] = line.split(" ");
  const { pathname, searchParams } = new URL(target, "http://s3");
  const isObject = pathname.split("/").filter((part) => part !== "").length > 1;
  const is = (name: string) => searchParams.has(name);
  if (isObject && (method === "GET" || method === "HEAD") && !is("uploadId")) return "Objects s3:GetObject";
  if (isObject && method === "PUT") return "Objects s3:PutObject";
  if (isObject && method === "POST" && (is("uploads") || is("uploadId"))) return "Objects s3:PutObject";
  if (isObject && method === "DELETE" && is("uploadId")) return "Objects s3:AbortMultipartUpload";
  if (!isObject && method === "GET" && is("uploads")) return "Buckets s3:ListBucketMultipartUploads";
  if (!isObject && method === "GET" && searchParams.get("list-type") === "2") return "Buckets s3:ListBucket";
  return `unknown: ${line}`;
}

suiteFor("versitygw", "what the uploader asks of S3", (server) => {
  test("are the actions of docs/iam-policy.json and no others", async () => {
    const site = await openNetworkSite(server());
    appendReadings(site.db, 50);
    expect(await site.run()).toBe(0);
    // A lost answer makes it look, a part that fails makes it abort.
    appendReadings(site.db, 50);
    site.setNetwork(firstOf(/^PUT .*\.parquet/, 3, { cut: "after" }));
    expect(await site.run()).toBe(0);
    appendLarge(site.db);
    site.setNetwork(firstOf(/partNumber=3/, 3, { answer: { status: 500, code: "InternalError" } }));
    expect(await site.run()).toBe(0);
    tally.add(await site.check());
    const argv = { sqlite: site.database, table: "readings", "node-id": NODE };
    const settings = loadSettings({ argv, env: site.environment, cwd: site.folder, hostname: "h" });
    const confirm = () => Promise.resolve(true);
    await rebuildState({ settings, clock: systemClock, log: noLog, onListed: () => {}, confirm });

    const called = new Set(site.proxy.requests.map(actionOf));
    const allowed = Object.entries(ALLOWED).flatMap(([on, actions]) =>
      actions.map((action) => `${on} ${action}`),
    );
    expect([...called].sort()).toEqual(allowed.sort());
  });

  test("no credential is in a log, an error, the state or an object, at any level, whatever the server says", async () => {
    const { accessKeyId, secretAccessKey } = server();
    const secrets = [accessKeyId, secretAccessKey, TOKEN];
    const site = await openNetworkSite(server(), { env: { AWS_SESSION_TOKEN: TOKEN } });
    const echo = (code: string, status: number) => ({
      answer: {
        status,
        headers: { "content-type": "application/xml" },
        body: `<Error><Code>${code}</Code><Message>The key ${accessKeyId} with token ${TOKEN} is bad</Message><AWSAccessKeyId>${accessKeyId}</AWSAccessKeyId><Token-0>${TOKEN}</Token-0></Error>`,
      },
    });
    for (const [code, status] of [
      ["AccessDenied", 403],
      ["InvalidAccessKeyId", 403],
      ["ExpiredToken", 400],
      ["InternalError", 500],
      ["Unheard", 400],
    ] as const) {
      appendReadings(site.db, 20);
      site.setNetwork(firstOf(/./, 5, echo(code, status)));
      await site.run();
    }
    // versitygw knows no session tokens.
    vi.stubEnv("AWS_SESSION_TOKEN", undefined);
    const findings = await site.check();
    expect(findings.violations).toEqual([]);
    tally.add(findings);
    const everything = [
      ["the log", JSON.stringify(site.log)],
      ...(readdirSync(site.folder, { recursive: true }) as string[])
        .filter((path) => statSync(join(site.folder, path)).isFile())
        .map((path) => [path, readFileSync(join(site.folder, path), "latin1")]),
    ] as [string, string][];
    for (const [name, text] of everything)
      for (const secret of secrets) expect([name, text.includes(secret)]).toEqual([name, false]);
    expect(site.log.some(({ err }) => err?.code === "SINK_DENIED")).toBe(true);
  });

  test.each(["info", "debug", "trace"])("nor in what the program prints with LOG_LEVEL=%s", async (level) => {
    const site = await openSite({ server: server(), env: { LOG_LEVEL: level } });
    appendReadings(site.db, 20);
    const runs = [await site.run(["--once"])];
    appendReadings(site.db, 20);
    const wrong = "wrong-secret-access-key";
    for (const env of [{ AWS_SECRET_ACCESS_KEY: wrong }, { AWS_SESSION_TOKEN: TOKEN }]) {
      const refused = site.start(["--interval", "0.1"], env);
      await refused.untilOutput(/SINK_CREDENTIALS/);
      refused.process.kill("SIGTERM");
      runs.push(await refused.finished);
    }
    const printed = runs.map(({ stdout, stderr }) => stdout + stderr).join("\n");
    for (const secret of [server().accessKeyId, server().secretAccessKey, TOKEN, wrong])
      expect(printed).not.toContain(secret);
    expect(printed).not.toMatch(/signature=/i);
    tally.add(await site.check());
  });
});

test("an http endpoint on another machine is refused before anything is sent, also one of AWS's own configuration", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  const env = { S3_ENABLED: "true", S3_PREFIX: "p", AWS_REGION: "r-1" };
  const refused = await site.refuse({}, async () => {
    const { code, stdout, stderr } = await site.run(["--once"], {
      ...env,
      AWS_ENDPOINT_URL_S3: "http://10.0.0.7",
    });
    expect(code).toBe(2);
    return { code, printed: stdout + stderr };
  });
  expect(refused.printed).toContain("allow_insecure_endpoint: true");
  tally.add(refused);

  const proxy = await startS3Proxy("http://127.0.0.1:9", () => ({ cut: "before" }));
  try {
    const options = {
      ...s3SinkOptionsFor(proxy.endpoint),
      endpoint: proxy.endpoint.replace("127.0.0.1", "0.0.0.0"),
    };
    const sink = createS3Sink(options);
    await expect(sink.readMarker("bucket", "_owner/n/t.json")).rejects.toMatchObject({
      code: "SINK_REJECTED",
      hint: expect.stringContaining("https"),
    });
    sink.close();
    expect(proxy.requests).toEqual([]);
    const allowed = createS3Sink({ ...options, allowInsecureEndpoint: true });
    await expect(allowed.readMarker("bucket", "_owner/n/t.json")).rejects.toMatchObject({
      code: "SINK_UNAVAILABLE",
    });
    allowed.close();
    expect(proxy.requests).not.toEqual([]);
  } finally {
    await proxy.stop();
  }
});

function s3SinkOptionsFor(endpoint: string) {
  return s3SinkOptions({
    ...{ endpoint, region: "us-east-1" },
    ...{ accessKeyId: "test-access-key-id", secretAccessKey: "test-secret-access-key" },
  });
}

test("the hint of a refused permission and docs/SECURITY.md name the policy's actions", () => {
  const denied = Object.assign(new Error("no"), { name: "AccessDenied", $metadata: { httpStatusCode: 403 } });
  const read = (path: string) => readFileSync(join(import.meta.dirname, "../..", path), "utf8");
  const texts = [describeError(describeS3Error(denied, "it failed")), read("docs/SECURITY.md")];
  for (const action of Object.values(ALLOWED).flat())
    for (const text of texts) expect(text).toContain(action);
});

test("each test that docs/SECURITY.md names is there", () => {
  const root = join(import.meta.dirname, "../..");
  const text = readFileSync(join(root, "docs/SECURITY.md"), "utf8");
  const named = [...text.matchAll(/`(test\/[\w/.-]+\.test\.ts)`(?::? "([^"]+)")?/g)];
  expect(named.length).toBeGreaterThan(5);
  for (const [, path = "", title] of named) {
    expect([path, existsSync(join(root, path))]).toEqual([path, true]);
    if (title) expect(readFileSync(join(root, path), "utf8")).toContain(title);
  }
});
