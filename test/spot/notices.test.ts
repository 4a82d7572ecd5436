import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { metadataEndpoint } from "../../src/spot/metadata.ts";
import { drainMs, watchSpotNotices } from "../../src/spot/notices.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { startMetadataServer } from "../support/metadata-server.ts";
import { until } from "../support/until.ts";

const NOON = Date.UTC(2026, 5, 1, 12);
const TOKEN = "PUT /latest/api/token";
const ACTION = "GET /latest/meta-data/spot/instance-action";
const REBALANCE = "GET /latest/meta-data/events/recommendations/rebalance";

test("a machine without a notice is asked after one every five seconds, with one token", async () => {
  const { server, watch, pollAgain } = await startWatch();
  await pollAgain();
  await pollAgain();
  const poll = [`${ACTION} 404`, `${REBALANCE} 404`];
  expect(server.answers).toEqual([`${TOKEN} 200`, ...poll, ...poll, ...poll]);
  expect([watch.count(), watch.isEnding(), watch.timeUp.aborted]).toEqual([0, false, false]);
});

test("a token that is no longer taken is renewed", async () => {
  const { server, lines, pollAgain } = await startWatch();
  server.forgetTokens();
  await pollAgain();
  const renewed = [`${ACTION} 401`, `${TOKEN} 200`, `${ACTION} 404`, `${REBALANCE} 404`];
  expect(server.answers.slice(3)).toEqual(renewed);
  expect(lines).toEqual([]);
});

test("a recommendation counts once, however often it is read, and a later one again", async () => {
  const { server, watch, lines, pollAgain } = await startWatch();
  server.recommendRebalance(new Date(NOON));
  await pollAgain();
  await pollAgain();
  expect([watch.count(), watch.isEnding()]).toEqual([1, false]);
  expect(lines).toEqual([{ level: "warn", msg: expect.stringContaining("at risk") }]);
  server.recommendRebalance(new Date(NOON + 60_000));
  await pollAgain();
  expect(watch.count()).toBe(2);
});

test("an interruption is final: nothing more is asked, and the time is up ten seconds before it", async () => {
  const { server, clock, watch, lines, pollAgain } = await startWatch();
  server.announce("terminate", new Date(NOON + 5_000 + 90_000));
  await pollAgain();
  expect([watch.count(), watch.isEnding()]).toEqual([1, true]);
  const announced = "going to terminate this spot instance at 2026-06-01T12:01:35Z";
  expect(lines).toEqual([{ level: "warn", msg: expect.stringContaining(announced) }]);
  const asked = server.answers.length;
  clock.advance(79_000);
  expect(watch.timeUp.aborted).toBe(false);
  clock.advance(1_000);
  await until("the time is up", () => watch.timeUp.aborted);
  expect(server.answers).toHaveLength(asked);
});

test.each(["", "not JSON", "null", '{"action":7}', '{"action":"stop\\u0007","time":"soon"}'])(
  "an interruption in words that are not understood, %j, is one all the same",
  async (text) => {
    const { server, watch, lines, pollAgain } = await startWatch();
    server.announceText(text);
    await pollAgain();
    expect(watch.isEnding()).toBe(true);
    expect(lines[0]?.msg).toMatch(/^EC2 is going to interrupt this spot instance(?! at undefined)/);
  },
);

test("errors of the service are told at debug, and it is asked again", async () => {
  const { server, watch, lines, pollAgain } = await startWatch();
  server.setBroken(true);
  await pollAgain();
  expect(lines).toEqual([{ level: "debug", msg: expect.stringContaining("it answered 500") }]);
  server.setBroken(false);
  server.announce("stop", new Date(NOON + 120_000));
  await pollAgain();
  expect(watch.isEnding()).toBe(true);
});

test.each(["http://127.0.0.1:1", "no URL"])(
  "a service that is not there (%s) is asked again",
  async (endpoint) => {
    const { watch, lines, clock } = await startWatch({ AWS_EC2_METADATA_SERVICE_ENDPOINT: endpoint });
    clock.advance(5_000);
    await until("it was asked twice", () => lines.length === 2);
    expect(lines.map(({ level }) => level)).toEqual(["debug", "debug"]);
    expect(watch.count()).toBe(0);
  },
);

test("AWS_EC2_METADATA_DISABLED=true: nothing is asked, which is said once", async () => {
  const { server, clock, lines } = await startWatch({ AWS_EC2_METADATA_DISABLED: "true" });
  expect(clock.waits()).toBe(0);
  expect(server.answers).toEqual([]);
  expect(lines).toEqual([{ level: "info", msg: expect.stringContaining("AWS_EC2_METADATA_DISABLED") }]);
});

test("the service is where the AWS SDKs look for it", () => {
  expect(metadataEndpoint({})).toBe("http://169.254.169.254");
  expect(metadataEndpoint({ AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE: "IPv6" })).toBe("http://[fd00:ec2::254]");
  expect(metadataEndpoint({ AWS_EC2_METADATA_SERVICE_ENDPOINT: "http://x:1" })).toBe("http://x:1");
  expect(metadataEndpoint({ AWS_EC2_METADATA_DISABLED: "True" })).toBeNull();
  expect(metadataEndpoint({ AWS_EC2_METADATA_DISABLED: "false" })).not.toBeNull();
});

test("a drain ends ten seconds before the machine, and a wrong clock does not take it its time", () => {
  const left = (seconds: number) => drainMs(NOON + seconds * 1000, NOON) / 1000;
  expect([120, 60, 20, 4].map(left)).toEqual([110, 50, 10, 2]);
  expect([0, -3600, 3600].map(left)).toEqual([110, 110, 110]);
});

/** A watch that has asked once, and asks again when the test says so. */
async function startWatch(env: Readonly<Record<string, string>> = {}) {
  const server = await startMetadataServer();
  const clock = createManualClock(NOON);
  const lines: { level: string; msg: string }[] = [];
  const formatters = { level: (level: string) => ({ level }) };
  const write = (line: string) => void lines.push(JSON.parse(line));
  const log = pino({ level: "debug", base: null, timestamp: false, formatters }, { write });
  const watch = watchSpotNotices({
    env: { AWS_EC2_METADATA_SERVICE_ENDPOINT: server.endpoint, ...env },
    clock,
    sleep: clock.sleep,
    log,
  });
  onTestFinished(() => watch.close());
  const isWaiting = () => until("it waits", () => clock.waits() === 1);
  if (env.AWS_EC2_METADATA_DISABLED !== "true") await isWaiting();
  return {
    ...{ server, clock, watch, lines },
    async pollAgain() {
      clock.advance(5_000);
      await isWaiting();
    },
  };
}
