import { cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { ownerKey } from "../../src/core/object-key.ts";
import { rebuildState } from "../../src/rebuild.ts";
import { tallyScenario } from "../faults/campaign.ts";
import type { LakeObject } from "../support/lake-reader.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { appendReadings, createReadings } from "../support/readings.ts";
import { noLog } from "../support/run-in-process.ts";
import { until } from "../support/until.ts";
import { openSite, type Site } from "./site.ts";

const tally = tallyScenario("3 disk: state rebuilt (ownership)");

function markerPath(site: Site, table = "readings"): string {
  return join(site.folder, "lake", site.settings.sink.buckets.raw, ownerKey("press-7", table));
}

/** What lies in the state folder and the lake; the lock and its note are nobody's data. */
function snapshot(site: Site) {
  const state = join(site.stateDir, "state.db");
  return {
    state: existsSync(state) && readFileSync(state).toString("base64"),
    marker: readFileSync(markerPath(site), "utf8"),
    objects: site.objects().map(({ key }) => key),
  };
}

const noListing = () => {};

test("an uploader that still runs stops at its next look, and the rebuilt one goes on", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 30);
  const clock = createManualClock(Date.now());
  const other = site.startHere({ "state-dir": "elsewhere", interval: 60 }, { clock, sleep: clock.sleep });
  await until("it waits for the next cycle", () => clock.waits() === 3);
  expect(site.objects()).toHaveLength(1);

  await site.rebuild();
  appendReadings(site.db, 20);
  await site.upload();
  clock.advance(60_000);
  let isOver = false;
  other.finished.then(() => {
    isOver = true;
  });
  await until("it has ended", () => {
    clock.advance(250);
    return isOver;
  });
  expect(await other.finished).toBe(1);
  expect(other.log.find(({ err }) => err?.code === "OWNED_BY_ANOTHER")).toBeDefined();
  await site.upload();
  await site.check();
});

test("a state that was restored from a back-up", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 30);
  await site.upload();
  const backup = join(site.folder, "backup");
  cpSync(site.stateDir, backup, { recursive: true });
  appendReadings(site.db, 30);
  await site.upload();
  rmSync(site.stateDir, { recursive: true });
  cpSync(backup, site.stateDir, { recursive: true });
  appendReadings(site.db, 5);
  expect(await site.refusal()).toMatch(/is not this uploader's to ship/);

  await site.rebuild();
  await site.upload();
  await site.check();
});

test("a no changes nothing", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 30);
  await site.upload();
  const before = snapshot(site);
  const { settings } = site;
  const confirm = () => Promise.resolve(false);
  expect(
    await rebuildState({ settings, clock: systemClock, log: noLog, onListed: noListing, confirm }),
  ).toBeNull();
  expect(snapshot(site)).toEqual(before);
  appendReadings(site.db, 10);
  await site.upload();
  expect(new Set(site.objects().map(({ name }) => name.generation))).toEqual(new Set([1]));
  await site.check();
});

test("a bucket that cannot be listed ends it, and changes nothing", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 30);
  await site.upload();
  const bucket = join(site.folder, "lake", site.settings.sink.buckets.emergency);
  writeFileSync(bucket, "in the way");
  const before = snapshot(site);
  await expect(site.rebuild()).rejects.toMatchObject({
    code: "SINK_REJECTED",
    message: expect.stringContaining(bucket),
  });
  expect(snapshot(site)).toEqual(before);
  rmSync(bucket);
  await site.check();
});

test("an object of a torn extraction that is not Parquet ends it, and changes nothing", async () => {
  const site = await openSite(tally);
  site.setType("emergency");
  appendReadings(site.db, 30);
  await site.upload();
  site.loseState({ undelivered: ({ sequence, part }) => sequence === 2 && part === 1 });
  const [torn] = site.objects().filter(({ name }) => name.sequence === 2) as [LakeObject];
  const whole = join(site.folder, "whole");
  renameSync(torn.path, whole);
  writeFileSync(torn.path, "no Parquet");
  const before = snapshot(site);
  await expect(site.rebuild()).rejects.toMatchObject({ message: expect.stringContaining(torn.key) });
  expect(snapshot(site)).toEqual(before);

  renameSync(whole, torn.path);
  await site.rebuild();
  await site.upload();
  await site.check();
});

test("cut short between two tables, it is refused until it was run again", async () => {
  const site = await openSite(tally, { flags: { table: "*" } });
  createReadings(site.db, "valves");
  for (const table of ["readings", "valves"]) appendReadings(site.db, 40, { table });
  await site.upload();
  site.loseState({ undelivered: ({ sequence }) => sequence === 2 });
  const { settings } = site;
  const interrupted = rebuildState({
    settings,
    clock: systemClock,
    log: noLog,
    onListed: noListing,
    async confirm() {
      writeFileSync(markerPath(site, "valves"), `${readFileSync(markerPath(site, "valves"), "utf8")}\n`);
      return true;
    },
  });
  await expect(interrupted).rejects.toMatchObject({
    code: "OWNED_BY_ANOTHER",
    message: expect.stringContaining("valves"),
    hint: expect.stringContaining("again"),
  });
  expect(existsSync(join(site.stateDir, "state.db"))).toBe(false);
  expect(existsSync(join(site.stateDir, "state.db.rebuilding"))).toBe(false);
  expect(await site.refusal()).toMatch(/is not this uploader's to ship/);

  await site.rebuild();
  await site.upload();
  await site.check([{ name: "readings" }, { name: "valves" }]);
});

test("what comes in while it asks counts too", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 40);
  await site.upload();
  const [late] = site.objects().filter(({ name }) => name.sequence === 3) as [LakeObject];
  const onItsWay = join(site.folder, "on its way");
  site.loseState();
  renameSync(late.path, onItsWay);
  const rebuilt = await rebuildState({
    settings: site.settings,
    clock: systemClock,
    log: noLog,
    onListed: noListing,
    async confirm({ sources }) {
      expect(sources[0]?.plan.cursor).toBe(20n);
      renameSync(onItsWay, late.path);
      return true;
    },
  });
  expect(rebuilt?.sources[0]?.plan.cursor).toBe(40n);
  await site.upload();
  await site.check();
});
