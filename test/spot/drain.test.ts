import { expect, onTestFinished, test } from "vitest";
import { reportState, stateDocument } from "../../src/cli/state-report.ts";
import { systemSleep } from "../../src/core/clock.ts";
import type { Failpoint } from "../../src/core/failpoints.ts";
import type { PipelineType } from "../../src/core/types.ts";
import { openSite, type Site } from "../faults/campaign.ts";
import { type MetadataServer, startMetadataServer } from "../support/metadata-server.ts";
import { appendReadings } from "../support/readings.ts";
import { type Interference, startS3Proxy } from "../support/s3-proxy.ts";
import { type S3Server, suiteFor } from "../support/s3-servers.ts";
import { until } from "../support/until.ts";
import type { Running } from "../support/uploader-process.ts";

/** What only a notice ships: the first cycle is over, and the next comes in an hour. */
const FLAGS = ["--interval", "3600", "--max-batch-size", "50"];

const DRAIN = "an interruption: what is there is delivered, open windows too, the state says so, exit code 0";

const inMs = (milliseconds: number) => new Date(Date.now() + milliseconds);

test(DRAIN, async () => drainWith(await openSite()));

suiteFor("versitygw", "the drain of a spot instance", (server) => {
  test(DRAIN, async () => drainWith(await openSite({ server: server() })));

  test("a drain that has no end is stopped before the machine ends, and the next start goes on", async () => {
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const site = await openSiteBehind(server(), () => ({ passOnAfter: released }));
    const { uploader, metadata } = await startQuiet(site, "raw");
    appendReadings(site.db, 120);
    metadata.announce("terminate", inMs(12_000));
    await uploader.untilOutput(/the time before the interruption is over/);
    release();
    expect(await uploader.finished).toMatchObject({ code: 0, stderr: "" });
    expect(uploader.output()).toMatch(/left in the outbox; the next start goes on with it/);
    expect(stateDocument(site.stateDir).drainedAt).toBeNull();
    expect((await site.check()).rows).toBe(120);
  });

  test("what rests after a failure is tried at once when a notice comes", async () => {
    let isDenied = true;
    const denial = { answer: { status: 403, code: "AccessDenied" } } as const;
    const site = await openSiteBehind(server(), () => (isDenied ? denial : undefined), true);
    appendReadings(site.db, 10);
    let notices = 0;
    const now = Date.now();
    const uploader = site.startHere(
      { interval: 3600 },
      {
        // A clock that stands still, on which no rest is ever over.
        clock: { now: () => now },
        sleep: systemSleep,
        notices: { count: () => notices, isEnding: () => notices > 0 },
      },
    );
    await until("the first try failed", () => uploader.log.some(({ msg }) => /^not delivered/.test(msg)));
    isDenied = false;
    notices = 1;
    expect(await uploader.finished).toBe(0);
    expect(shipped(site)).toMatchObject({ cursor: "10", waiting: 0 });
    expect((await site.check()).rows).toBe(10);
  });
});

test("a rebalance recommendation: what is there is delivered at once, windows stay held, and it goes on", async () => {
  const site = await openSite();
  const { uploader, metadata } = await startQuiet(site, "aggregated");
  appendReadings(site.db, 100);
  appendReadings(site.db, 40, { timestamp: inMs(60_000).toISOString() });
  metadata.recommendRebalance(new Date());
  await until("the windows that are over are delivered, the others held", () => {
    const { cursor, waiting, isHeld } = shipped(site);
    return cursor === "100" && waiting === 0 && isHeld;
  });
  expect(uploader.process.exitCode).toBeNull();

  metadata.announce("terminate", inMs(120_000));
  expect(await uploader.finished).toMatchObject({ code: 0, stderr: "" });
  expect(shipped(site)).toMatchObject({ cursor: "140", waiting: 0 });
  expect((await site.check()).rows).toBe(140);
});

test("a drain that could not read a table says so and ends with 1, and the next start goes on", async () => {
  const site = await openSite();
  const { uploader, metadata } = await startQuiet(site, "raw");
  appendReadings(site.db, 120);
  site.db.exec("ALTER TABLE readings RENAME TO elsewhere");
  metadata.announce("terminate", inMs(120_000));
  expect(await uploader.finished).toMatchObject({ code: 1 });
  expect(uploader.output()).toMatch(/not all was shipped; see the errors above/);
  expect(stateDocument(site.stateDir).drainedAt).toBeNull();
  site.db.exec("ALTER TABLE elsewhere RENAME TO readings");
  await site.ship();
  expect((await site.check()).rows).toBe(120);
});

const KILLED: readonly Failpoint[] = [
  "before-write",
  "before-folder-sync",
  "before-commit",
  "after-commit",
  "before-put",
  "after-put",
  "after-strike",
];

test.each(KILLED)("killed %s in the drain, the next instance goes on with the same volume", async (step) => {
  const site = await openSite();
  const { uploader, metadata } = await startQuiet(site, "raw", { UPLOADER_FAILPOINT: `${step}:kill:2` });
  appendReadings(site.db, 220);
  metadata.announce("terminate", inMs(120_000));
  expect(await uploader.finished).toMatchObject({ signal: "SIGKILL", stderr: "" });
  expect(stateDocument(site.stateDir).drainedAt).toBeNull();
  await site.observer.look();

  const { uploader: next, metadata: later } = await startQuiet(site, "raw");
  expect(shipped(site).cursor).toBe("220");
  appendReadings(site.db, 30);
  later.announce("terminate", inMs(120_000));
  expect(await next.finished).toMatchObject({ code: 0, stderr: "" });
  expect(stateDocument(site.stateDir).drainedAt).not.toBeNull();
  expect((await site.check()).rows).toBe(250);
});

test("without spot_notices nobody is asked, nor with --once", async () => {
  const site = await openSite();
  appendReadings(site.db, 20);
  const metadata = await startMetadataServer();
  const env = { AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.endpoint };
  const uploader = site.start(FLAGS, env);
  await uploader.untilOutput(/"msg":"delivered"/);
  uploader.process.kill("SIGTERM");
  expect(await uploader.finished).toMatchObject({ code: 0 });
  expect(await site.run(["--once"], { ...env, SPOT_NOTICES: "true" })).toMatchObject({ code: 0 });
  expect(metadata.answers).toEqual([]);
  expect((await site.check()).rows).toBe(20);
});

/** Rows of windows that are over, and of one that is open for a minute: an hour's interval ships neither. */
async function drainWith(site: Site): Promise<void> {
  const { uploader, metadata } = await startQuiet(site, "aggregated");
  appendReadings(site.db, 180);
  appendReadings(site.db, 40, { timestamp: inMs(60_000).toISOString() });
  metadata.announce("terminate", inMs(120_000));
  expect(await uploader.finished).toMatchObject({ code: 0, stderr: "" });
  expect(shipped(site)).toMatchObject({ cursor: "220", waiting: 0 });
  const document = stateDocument(site.stateDir);
  expect(Date.parse(document.drainedAt ?? "")).toBeGreaterThan(Date.now() - 60_000);
  expect(reportState(document)).toMatch(/^Drained: +20\d\d-/m);

  const objects = site.place.objects().length;
  expect((await site.check()).rows).toBe(220);
  expect(site.place.objects()).toHaveLength(objects);
  expect(stateDocument(site.stateDir).drainedAt, "the next start forgets it").toBeNull();
}

/** An uploader whose first cycle is over, so that it has nothing to do for an hour. */
async function startQuiet(
  site: Site,
  type: PipelineType,
  env: Readonly<Record<string, string>> = {},
): Promise<{ readonly uploader: Running; readonly metadata: MetadataServer }> {
  site.setType(type);
  const metadata = await startMetadataServer({ isEager: true });
  const endpoint = { AWS_EC2_METADATA_SERVICE_ENDPOINT: metadata.endpoint };
  const uploader = site.start(FLAGS, { SPOT_NOTICES: "true", LOG_LEVEL: "debug", ...endpoint, ...env });
  // What an earlier run has left is extracted before that, and delivered beside it.
  await uploader.untilOutput(/"msg":"(nothing new|extracted)"/);
  await until("its first cycle is over", () => shipped(site).waiting === 0 && isIdle(site));
  return { uploader, metadata };
}

/** Whether every row that is there has been extracted. */
function isIdle(site: Site): boolean {
  const largest = site.db.prepare("SELECT max(id) FROM readings").pluck().get() as number | null;
  return largest === null || shipped(site).cursor === String(largest);
}

function shipped({ stateDir }: Site) {
  const [source] = stateDocument(stateDir).sources;
  return {
    cursor: source?.cursor ?? null,
    waiting: source?.waiting.objects ?? 0,
    isHeld: (source?.holdSince ?? null) !== null,
  };
}

/** A site between whose uploader and server somebody meddles with the objects that are put. */
async function openSiteBehind(
  server: S3Server,
  interfere: () => Interference | undefined,
  isInProcess = false,
): Promise<Site> {
  const proxy = await startS3Proxy(server.endpoint, (line) =>
    /^PUT .*\.parquet/.test(line) ? interfere() : undefined,
  );
  onTestFinished(() => proxy.stop());
  return openSite({ server, isInProcess, env: { AWS_ENDPOINT_URL_S3: proxy.endpoint } });
}
