import { DeleteObjectCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import { expect, test } from "vitest";
import { stateDocument } from "../../src/cli/state-report.ts";
import { createEagerClock } from "../support/eager-clock.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { appendReadings, createReadings } from "../support/readings.ts";
import type { LogLine } from "../support/run-in-process.ts";
import type { Answer, Interference } from "../support/s3-proxy.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { until } from "../support/until.ts";
import { tallyScenario } from "./campaign.ts";
import { appendLarge } from "./large-rows.ts";
import { firstOf, type NetworkSite, openNetworkSite } from "./network-site.ts";

const MARKER = /^(GET|PUT) .*_owner/;
const PUT = /^PUT .*\.parquet\?x-id=PutObject$/;
const MULTIPART = /^(PUT .*partNumber=|POST )/;
const COMPLETION = /^POST .*uploadId=/;
const HEAD = /^HEAD /;

/** Beyond the two tries of the SDK, so that the uploader itself has to try again. */
const TIMES = 3;
/** The first look at it, which may fail without a word, counts as well. */
const MARKER_TIMES = TIMES + 2;

/** Of a proxy that has stored something, but not what it was given. */
const ANSWERS_AS_STORED = {
  PutObject: { status: 200, headers: { etag: '"of-the-proxy"' }, body: "" },
  CompleteMultipartUpload: {
    status: 200,
    headers: { "content-type": "application/xml" },
    body: '<CompleteMultipartUploadResult><ETag>"of-the-proxy"</ETag></CompleteMultipartUploadResult>',
  },
};

interface Fault {
  readonly name: string;
  readonly interference: Interference;
  /** Code of the error that is logged. */
  readonly code: string;
  /** As pino counts them: 40 warn, 50 error. */
  readonly level: 40 | 50;
}

const FAULTS: readonly Fault[] = [
  answered("500 InternalError", { status: 500, code: "InternalError" }),
  answered("503 SlowDown", { status: 503, code: "SlowDown" }, "SINK_THROTTLED"),
  answered("429 TooManyRequests", { status: 429, code: "TooManyRequests" }, "SINK_THROTTLED"),
  answered("409 ConditionalRequestConflict", { status: 409, code: "ConditionalRequestConflict" }),
  answered("403 AccessDenied", { status: 403, code: "AccessDenied" }, "SINK_DENIED"),
  answered("400 ExpiredToken", { status: 400, code: "ExpiredToken" }, "SINK_CREDENTIALS"),
  answered("403 RequestTimeTooSkewed", { status: 403, code: "RequestTimeTooSkewed" }, "SINK_CREDENTIALS"),
  answered("the page of a captive portal", {
    status: 200,
    headers: { "content-type": "text/html" },
    body: "<html><p>Log in</p></html>",
  }),
  ...[303, 307, 404, 407].map((status) =>
    answered(`${status} without a word`, { status, headers: { location: "/log-in" }, body: "" }),
  ),
  ...[302, 404, 405, 501].map((status) =>
    answered(`${status} with a page`, {
      status,
      headers: { "content-type": "text/html", location: "/log-in" },
      body: "<html><p>Log in</p></html>",
    }),
  ),
  broken("no answer", { passOnAfter: new Promise(() => {}) }),
  broken("a reset before the body", { cut: "before" }),
  broken("a reset in the middle of the body", { cut: "in-body" }),
  broken("a reset after the body, which is stored", { cut: "after" }),
  broken("an answer that is cut short", { cut: "in-answer" }),
];

suiteFor("versitygw", "a network that breaks", (server) => {
  const tally = tallyScenario("2 network");

  async function expectSound(site: NetworkSite): Promise<void> {
    const findings = await site.check();
    expect(findings.violations).toEqual([]);
    expect(findings.rows).toBe(site.db.prepare("SELECT count(*) FROM readings").pluck().get());
    tally.add(findings);
  }

  test.each(FAULTS.map((fault) => [fault.name, fault] as const))(
    "%s: on the ways of the marker, of an object and of a large object",
    async (_, { interference, code, level }) => {
      const site = await openNetworkSite(server());
      appendReadings(site.db, 50);
      for (const [way, pattern, times] of [
        ["marker", MARKER, MARKER_TIMES],
        ["object", PUT, TIMES],
        ["large object", MULTIPART, TIMES],
      ] as const) {
        if (way === "large object") appendLarge(site.db);
        else appendReadings(site.db, 20);
        const before = site.log.length;
        site.setNetwork(firstOf(pattern, times, interference));
        expect(await site.run(), way).toBe(0);
        const lines = site.log.slice(before);
        const wasNoticed = ({ err, msg }: LogLine) => err !== undefined || msg === "was delivered already";
        expect([way, lines.some(wasNoticed)]).toEqual([way, true]);
        await site.observer.look();
      }
      const errors = site.log.filter(({ err }) => err !== undefined);
      expect(new Set(errors.map(({ err, level }) => `${err?.code} ${level}`))).toEqual(
        new Set([`${code} ${level}`]),
      );
      await expectSound(site);
    },
  );

  test.each([
    ["a HEAD alone", HEAD],
    ["a HEAD and a GET, as S3 does to those who may not list", /^(HEAD|GET) .*\.parquet/],
  ])("403 instead of 404: on %s", async (_, looks) => {
    const site = await openNetworkSite(server());
    let refused = 0;
    site.setNetwork((line) => {
      if (!looks.test(line)) return undefined;
      refused++;
      return { answer: { status: 403, code: "AccessDenied" } };
    });
    appendReadings(site.db, 50);
    expect(await site.run()).toBe(0);
    const forSmall = refused;
    expect(forSmall).toBeGreaterThan(0);
    appendLarge(site.db);
    expect(await site.run()).toBe(0);
    // Before and after it.
    expect(refused - forSmall).toBeGreaterThan(forSmall);
    await expectSound(site);
  });

  test("a marker whose write was given up, and that arrives late, is still this uploader's", async () => {
    const site = await openNetworkSite(server());
    appendReadings(site.db, 50);
    let arrive = () => {};
    const late = new Promise<void>((resolve) => {
      arrive = resolve;
    });
    let writes = 0;
    site.setNetwork((line) => {
      if (!/^PUT .*_owner/.test(line)) return undefined;
      // The SDK tries twice, without an answer; then the uploader asks, finds no marker, and writes it again.
      if (++writes <= 2) return { passOnAfter: late };
      arrive();
      const isThere = () => site.place.markers().length > 0;
      return { passOnAfter: until("the first one has arrived", isThere) };
    });
    expect(await site.run()).toBe(0);
    expect(writes).toBeGreaterThan(2);
    const errors = site.log.flatMap(({ err }) => (err ? [err] : []));
    expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(["SINK_UNAVAILABLE"]));
    expect(errors.map(({ message }) => message).join()).toContain("arrived late");
    await expectSound(site);
  });

  test("NoSuchUpload after a completion whose answer was lost", async () => {
    const site = await openNetworkSite(server());
    appendLarge(site.db);
    const left: Interference[] = [{ cut: "after" }, { answer: { status: 404, code: "NoSuchUpload" } }];
    site.setNetwork((line) => (COMPLETION.test(line) ? left.shift() : undefined));
    expect(await site.run()).toBe(0);
    expect(left).toEqual([]);
    expect(messages(site)).toContain("was delivered already");
    await expectSound(site);
  });

  test("bytes that are changed on the way are refused by the server, and sent again", async () => {
    const site = await openNetworkSite(server());
    appendReadings(site.db, 50);
    const passOnBody = (body: Buffer) => Buffer.concat([body.subarray(0, -1), Buffer.from([0])]);
    site.setNetwork(firstOf(PUT, TIMES, { passOnBody }));
    expect(await site.run()).toBe(0);
    expect(messages(site)).toContain("not delivered; it is tried again");
    appendLarge(site.db);
    site.setNetwork(firstOf(MULTIPART, TIMES, { passOnBody }));
    expect(await site.run()).toBe(0);
    await expectSound(site);
  });

  test.each([
    ["PutObject", PUT, 50],
    ["CompleteMultipartUpload", COMPLETION, 17],
  ] as const)(
    "200, but other bytes are stored (%s): it is not believed, that source stops loudly, and nothing is overwritten",
    async (operation, pattern, rows) => {
      const site = await openNetworkSite(server());
      if (operation === "PutObject") appendReadings(site.db, rows);
      else appendLarge(site.db);
      const stored: { Bucket: string; Key: string }[] = [];
      site.setNetwork((line) => {
        if (!pattern.test(line) || stored.length > 0) return undefined;
        const [, Bucket = "", Key = ""] = /^\w+ \/([^/]+)\/([^?]+)/.exec(line) ?? [];
        const other = { Bucket, Key: decodeURIComponent(Key) };
        stored.push(other);
        return {
          after: server().client.send(new PutObjectCommand({ ...other, Body: "other bytes" })),
          answer: ANSWERS_AS_STORED[operation],
        };
      });
      expect(await site.run()).toBe(1);
      const errors = site.log.flatMap(({ level, err }) => (err ? [[level, err.code, err.message]] : []));
      expect(errors).toEqual([
        [40, "SINK_UNAVAILABLE", expect.stringContaining("answered as stored, but other bytes are there")],
        [50, "SINK_CONFLICT", expect.stringContaining("holds another object: 11 bytes")],
      ]);
      const stop = site.log.find(({ err }) => err?.code === "SINK_CONFLICT");
      expect(stop).toMatchObject({ msg: expect.stringContaining("this source is stopped") });
      expect(waiting(site)).toMatchObject({ objects: 1, rows });

      for (const other of stored) await server().client.send(new DeleteObjectCommand(other));
      expect(await site.run()).toBe(0);
      await expectSound(site);
    },
  );

  test("gone for a day: new rows wait in the outbox, and are there minutes after it is back", async () => {
    const site = await openNetworkSite(server());
    appendReadings(site.db, 20);
    expect(await site.run()).toBe(0);
    site.setNetwork(() => ({ cut: "before" }));
    const clock = createManualClock(Date.now());
    const stopping = new AbortController();
    let chance = 0;
    const running = site.run({
      argv: { interval: "30" },
      ...{ clock, sleep: clock.sleep, random: () => chance, signal: stopping.signal },
    });
    const delays = () => site.log.flatMap(({ retryInMs }) => retryInMs ?? []);
    for (let hour = 1; hour <= 24; hour++) {
      appendReadings(site.db, 10);
      clock.advance(60 * 60_000);
      await until(`the rows of hour ${hour} are extracted`, () => waiting(site)?.rows === hour * 10);
      await until("another try has failed", () => delays().length === hour);
    }
    const doubled = [1, 2, 4, 8, 16, 32, 64, 128, 256].map((seconds) => seconds * 1_000);
    expect(delays()).toEqual([...doubled, ...Array(24 - doubled.length).fill(300_000)]);
    expect(site.lake.objects()).toHaveLength(1);
    site.setNetwork(() => undefined);
    await until("all waits", () => clock.waits() === 3);
    clock.advance(5 * 60_000);
    await until("everything has arrived", () => waiting(site)?.objects === 0);

    // A success begins the series anew, and what chance takes off is taken off each delay.
    site.setNetwork(() => ({ cut: "before" }));
    chance = 0.5;
    appendReadings(site.db, 10);
    for (const [tries, milliseconds] of [30_000, 750, 1_500].entries()) {
      await until("all waits", () => clock.waits() === 3);
      clock.advance(milliseconds);
      await until("another try has failed", () => delays().length === 25 + tries);
    }
    expect(delays().slice(24)).toEqual([750, 1_500, 3_000]);
    stopping.abort();
    expect(await running).toBe(0);
    await expectSound(site);
  });

  test("with --once it gives up after a bounded time, with exit code 1 and everything in the outbox", async () => {
    const site = await openNetworkSite(server());
    appendReadings(site.db, 250);
    site.setNetwork(() => ({ cut: "before" }));
    const start = Date.now();
    const clock = createEagerClock(start);
    const argv = { once: true, "max-batch-size": "100" };
    expect(await site.run({ argv, clock, sleep: clock.sleep })).toBe(1);
    expect(clock.now() - start).toBeGreaterThanOrEqual(60_000);
    expect(clock.now() - start).toBeLessThan(5 * 60_000);
    expect(waiting(site)).toMatchObject({ objects: 3, rows: 250 });
    expect(messages(site)).toContain("given up for now; the objects stay in the outbox");
    expect(site.lake.objects()).toEqual([]);
    await expectSound(site);
  });

  /** Two sources, of which one cannot be delivered. */
  async function openTwoSources(interference: Interference) {
    const site = await openNetworkSite(server(), { yaml: "outbox_max_mb: 0.2\ns3_batch_size_mb: 0.05\n" });
    createReadings(site.db, "bad");
    appendReadings(site.db, 5_000, { table: "bad" });
    appendReadings(site.db, 300);
    site.setNetwork((line) => (/\/raw\/bad\//.test(line) ? interference : undefined));
    const stopping = new AbortController();
    const clock = createManualClock(Date.now());
    const running = site.run({
      argv: { table: "bad,readings", "max-batch-size": "200", interval: "30" },
      ...{ clock, sleep: clock.sleep, signal: stopping.signal },
    });
    const of = (table: string) =>
      stateDocument(site.stateDir).sources.find((source) => source.table === table);
    return {
      ...{ site, clock, of },
      async stop() {
        stopping.abort();
        return await running;
      },
      async expectBothSound() {
        const findings = await site.check([{ name: "bad" }, { name: "readings" }]);
        expect(findings.violations).toEqual([]);
        tally.add(findings);
      },
    };
  }

  test("a bucket that answers 403 fills only its source's share; when it lets in again, all is delivered", async () => {
    const { site, clock, of, stop, expectBothSound } = await openTwoSources({
      answer: { status: 403, code: "AccessDenied" },
    });
    await until("the share of one is full", () =>
      messages(site).some((text) => text.includes("outbox is full")),
    );
    await until("the other has arrived", () => of("readings")?.delivered.rows === 300);
    appendReadings(site.db, 100);
    clock.advance(30_000);
    await until("new rows of the other arrive", () => of("readings")?.delivered.rows === 400);
    const share = (0.2 * 1024 * 1024) / 2;
    expect(of("bad")?.waiting.bytes).toBeLessThan(share + 20_000);
    expect(of("bad")?.delivered.rows).toBe(0);
    const denied = site.log.find(({ err }) => err?.code === "SINK_DENIED");
    expect(denied).toMatchObject({
      level: 50,
      table: "bad",
      msg: expect.stringContaining("access is granted"),
    });
    expect(await stop()).toBe(0);
    await expectBothSound();
  });

  test("what no other try can mend stops that source loudly, once, and the others go on", async () => {
    const { site, clock, of, stop, expectBothSound } = await openTwoSources({
      answer: { status: 404, code: "NoSuchBucket" },
    });
    await until("the other has arrived", () => of("readings")?.delivered.rows === 300);
    for (let step = 0; step < 5; step++) {
      appendReadings(site.db, 10);
      clock.advance(30_000);
      await until("new rows of the other arrive", () => of("readings")?.delivered.rows === 310 + step * 10);
    }
    const stops = site.log.filter(({ err }) => err?.code === "SINK_BUCKET_MISSING");
    expect(stops).toHaveLength(1);
    expect(stops[0]).toMatchObject({ level: 50, table: "bad", msg: expect.stringContaining("is stopped") });
    expect(of("bad")?.delivered.rows).toBe(0);
    expect(await stop()).toBe(0);
    await expectBothSound();
  });
});

function answered(name: string, answer: Answer, code = "SINK_UNAVAILABLE"): Fault {
  const level = code === "SINK_DENIED" || code === "SINK_CREDENTIALS" ? 50 : 40;
  return { name, interference: { answer }, code, level };
}

function broken(name: string, interference: Interference): Fault {
  return { name, interference, code: "SINK_UNAVAILABLE", level: 40 };
}

function waiting({ stateDir }: NetworkSite) {
  return stateDocument(stateDir).sources[0]?.waiting;
}

function messages({ log }: NetworkSite): string[] {
  return log.map(({ msg }) => msg);
}
