import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { ownerKey } from "../../src/core/object-key.ts";
import { rebuildState } from "../../src/rebuild.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { appendReadings, createReadings } from "../support/readings.ts";
import { noLog, startInProcess } from "../support/run-in-process.ts";
import { until } from "../support/until.ts";
import { expectEveryRowOnce } from "./every-row-once.ts";
import { openSite, type Site } from "./site.ts";

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
  const site = openSite();
  appendReadings(site.db, 30);
  const clock = createManualClock(Date.now());
  const argv = {
    sqlite: site.database,
    table: "readings",
    "node-id": "press-7",
    "state-dir": "elsewhere",
    directory: "lake",
  };
  const other = startInProcess({
    argv: { ...argv, interval: "60" },
    cwd: site.folder,
    clock,
    sleep: clock.sleep,
  });
  await until("it waits for the next cycle", () => clock.waits() === 3);
  expect(site.objects()).toHaveLength(1);

  await site.rebuild();
  appendReadings(site.db, 20);
  expect(await site.upload()).toBe(0);
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
  expect(await site.upload()).toBe(0);
  await expectEveryRowOnce(site.objects(), site.db);
});

test("a state that was restored from a back-up", async () => {
  const site = openSite();
  appendReadings(site.db, 30);
  await site.upload();
  const backup = join(site.folder, "backup");
  cpSync(site.stateDir, backup, { recursive: true });
  appendReadings(site.db, 30);
  await site.upload();
  rmSync(site.stateDir, { recursive: true });
  cpSync(backup, site.stateDir, { recursive: true });
  appendReadings(site.db, 5);
  await expect(site.upload()).rejects.toMatchObject({ code: "OWNED_BY_ANOTHER" });

  await site.rebuild();
  expect(await site.upload()).toBe(0);
  await expectEveryRowOnce(site.objects(), site.db);
});

test("a no changes nothing", async () => {
  const site = openSite();
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
  expect(await site.upload()).toBe(0);
  expect(new Set(site.objects().map(({ name }) => name.generation))).toEqual(new Set([1]));
});

test("a bucket that cannot be listed ends it, and changes nothing", async () => {
  const site = openSite();
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
});

test("an object of a torn extraction that is not Parquet ends it, and changes nothing", async () => {
  const site = openSite();
  site.setType("emergency");
  appendReadings(site.db, 30);
  await site.upload();
  site.loseState({ undelivered: ({ sequence, part }) => sequence === 2 && part === 1 });
  const [torn] = site.objects().filter(({ name }) => name.sequence === 2);
  writeFileSync(torn?.path ?? "", "no Parquet");
  const before = snapshot(site);
  await expect(site.rebuild()).rejects.toMatchObject({ message: expect.stringContaining(torn?.key ?? "?") });
  expect(snapshot(site)).toEqual(before);
});

test("cut short between two tables, it is refused until it was run again", async () => {
  const site = openSite({ flags: { table: "*" } });
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
  await expect(site.upload()).rejects.toMatchObject({ code: "OWNED_BY_ANOTHER" });

  await site.rebuild();
  expect(await site.upload()).toBe(0);
  const ofTable = (table: string) => site.objects().filter(({ name }) => name.table === table);
  await expectEveryRowOnce(ofTable("readings"), site.db);
  expect(ofTable("valves").reduce((sum, { name }) => sum + name.rows, 0)).toBe(40);
});

test("what comes in while it asks counts too", async () => {
  const site = openSite();
  appendReadings(site.db, 40);
  await site.upload();
  const [late] = site.objects().filter(({ name }) => name.sequence === 3);
  const path = late?.path ?? "";
  const bytes = readFileSync(path);
  site.loseState({ undelivered: ({ sequence }) => sequence === 3 });
  const rebuilt = await rebuildState({
    settings: site.settings,
    clock: systemClock,
    log: noLog,
    onListed: noListing,
    async confirm({ sources }) {
      expect(sources[0]?.plan.cursor).toBe(20n);
      writeFileSync(path, bytes);
      return true;
    },
  });
  expect(rebuilt?.sources[0]?.plan.cursor).toBe(40n);
  expect(await site.upload()).toBe(0);
  await expectEveryRowOnce(site.objects(), site.db);
});
