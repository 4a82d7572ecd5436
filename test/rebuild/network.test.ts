import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { loadSettings } from "../../src/config/load-settings.ts";
import { systemClock } from "../../src/core/clock.ts";
import { UploaderError } from "../../src/core/errors.ts";
import { rebuildState } from "../../src/rebuild.ts";
import { NODE, tallyScenario } from "../faults/campaign.ts";
import { type NetworkSite, openNetworkSite } from "../faults/network-site.ts";
import { nameOf } from "../support/lake-place.ts";
import { appendReadings } from "../support/readings.ts";
import { noLog } from "../support/run-in-process.ts";
import type { Interference } from "../support/s3-proxy.ts";
import { suiteFor } from "../support/s3-servers.ts";

const PAGE = { headers: { "content-type": "text/html" }, body: "<html><p>Log in</p></html>" };

const FAULTS: readonly (readonly [string, Interference])[] = [
  ["500 InternalError", { answer: { status: 500, code: "InternalError" } }],
  ["403 AccessDenied", { answer: { status: 403, code: "AccessDenied" } }],
  ["400 ExpiredToken", { answer: { status: 400, code: "ExpiredToken" } }],
  ["the page of a captive portal", { answer: { status: 200, ...PAGE } }],
  ["404 with a page", { answer: { status: 404, ...PAGE } }],
  ["404 without a word", { answer: { status: 404, headers: {}, body: "" } }],
  ["200 without a word", { answer: { status: 200, headers: {}, body: "" } }],
  ["a reset", { cut: "before" }],
  ["a reset after it was done", { cut: "after" }],
  ["an answer that is cut short", { cut: "in-answer" }],
];

/** A marker whose answer has begun is known to be written. */
const comesThrough = (way: string, interference: Interference) =>
  way.endsWith("written") && "cut" in interference && interference.cut === "in-answer";

/** What a rebuild asks of S3. */
const WAYS = [
  ["the keys", /^GET .*list-type=2/],
  ["the objects", /^GET .*\.parquet/],
  ["the marker", /^GET .*_owner/],
  ["the marker, as it is written", /^PUT .*_owner/],
] as const;

const tally = tallyScenario("3 disk: state rebuilt over a network that breaks");

/** Fifty rows, of which an object in the middle was never delivered, and a state that is lost. */
async function openLost(site: NetworkSite): Promise<void> {
  appendReadings(site.db, 50);
  expect(await site.run({ argv: { once: true, "max-batch-size": "10" } })).toBe(0);
  rmSync(site.stateDir, { recursive: true });
  const lost = site.lake.objects().find(({ name }) => name.sequence === 3);
  if (!lost) throw new Error("there is no third object");
  rmSync(lost.path);
  site.observer.forget(nameOf(lost));
  site.db
    .prepare("UPDATE pipeline_executions SET status = 'pending', completed_at = NULL WHERE object_key = ?")
    .run(lost.key);
}

function rebuild({ database, environment, folder }: NetworkSite): Promise<unknown> {
  const argv = { sqlite: database, table: "readings", "node-id": NODE };
  const settings = loadSettings({ argv, env: environment, cwd: folder, hostname: "h" });
  const sink = { ...settings.sink, timeouts: { idleMs: 500, smallRequestMs: 500 } };
  const confirm = () => Promise.resolve(true);
  const options = { clock: systemClock, log: noLog, onListed: () => {}, confirm };
  return rebuildState({ ...options, settings: { ...settings, sink } });
}

suiteFor("versitygw", "a rebuild over a network that breaks", (server) => {
  test.each(FAULTS)("%s: it is an error, and nothing changes, wherever it comes", async (_, interference) => {
    const site = await openNetworkSite(server());
    await openLost(site);
    const before = await site.place.versions();
    for (const [way, pattern] of WAYS) {
      if (comesThrough(way, interference)) continue;
      let struck = 0;
      site.setNetwork((line) => {
        if (!pattern.test(line)) return undefined;
        struck++;
        return interference;
      });
      const error = await rebuild(site).then(
        () => null,
        (reason: unknown) => reason,
      );
      expect([way, struck > 0, error]).toEqual([way, true, expect.any(UploaderError)]);
      expect([way, (error as UploaderError).code]).toEqual([way, expect.stringMatching(/^SINK_/)]);
      expect(existsSync(join(site.stateDir, "state.db")), way).toBe(false);
      expect(await site.place.versions()).toEqual(before);
    }
    const isWritten = WAYS[3][1];
    site.setNetwork((line) =>
      isWritten.test(line) && comesThrough(WAYS[3][0], interference) ? interference : undefined,
    );
    await rebuild(site);
    site.setNetwork(() => undefined);
    appendReadings(site.db, 5);
    expect(await site.run()).toBe(0);
    tally.add(await site.check(undefined, [1]));
  });
});
