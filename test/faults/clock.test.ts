import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { expect, onTestFinished, test } from "vitest";
import { stateDocument } from "../../src/cli/state-report.ts";
import type { Sleep } from "../../src/core/clock.ts";
import { UploaderError } from "../../src/core/errors.ts";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { startDelivery } from "../../src/deliver.ts";
import { readSources } from "../../src/outbox/sources.ts";
import { createStateFolders, openState, type State } from "../../src/outbox/state.ts";
import { createOwnership } from "../../src/ownership.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import { createDirectorySink } from "../../src/sink/directory.ts";
import type { Sink } from "../../src/sink/sink.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { appendReadings } from "../support/readings.ts";
import { type S3Server, suiteFor } from "../support/s3-servers.ts";
import { readSourceState } from "../support/state-reader.ts";
import { suiteWith } from "../support/suite-with.ts";
import { until } from "../support/until.ts";
import { NODE, openSite, type Site, tallyScenario } from "./campaign.ts";
import { appendLarge } from "./large-rows.ts";

const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 5, 1, 12);
const tally = tallyScenario("6 clock");

/** Timers do not follow the wall clock: here each wait is over as soon as others have had their turn. */
const shortSleep: Sleep = (_, signal) =>
  delay(5, undefined, { ...(signal ? { signal } : {}) }).catch(() => {});

function startHere(site: Site, clock: ReturnType<typeof createManualClock>, settings = "") {
  writeFileSync(join(site.folder, "databricks-uploader-config.yaml"), settings);
  return site.startHere({ interval: 1 }, { clock, sleep: shortSleep });
}

function hasShipped(site: Site): boolean {
  const rows = BigInt(site.db.prepare("SELECT max(id) FROM readings").pluck().get() as number);
  if (readSourceState(site.stateDir, NODE, "readings")?.cursor !== rows) return false;
  return stateDocument(site.stateDir).sources[0]?.waiting.objects === 0;
}

/** Where the one source goes. */
function placeOf(state: State): string {
  return readSources(state.db)[0]?.destination.place ?? "";
}

test.each([-1, 1])(
  "windows that wait are shipped though the clock is set by %i day meanwhile",
  async (days) => {
    const site = await openSite();
    const clock = createManualClock(START);
    setPipelineType(site.db, { type: "aggregated", by: "test", now: START });
    appendReadings(site.db, 100, { timestamp: new Date(START + 3 * DAY_MS).toISOString() });
    const uploader = startHere(site, clock, "aggregated: { window: 60 }\n");
    const holdSince = () => {
      const db = existsSync(join(site.stateDir, "state.db"))
        ? openState(createStateFolders(site.stateDir), START)
        : null;
      const since = db ? readSources(db.db)[0]?.hold?.since : undefined;
      db?.close();
      return since;
    };
    await until("the rows are held", () => holdSince() === START);
    clock.advance(days * DAY_MS);
    if (days < 0) {
      await until("the wait has begun again", () => holdSince() === START - DAY_MS);
      expect(site.place.objects()).toEqual([]);
    }
    clock.advance(65_001);
    await until("the rows are shipped", () => hasShipped(site));
    await uploader.stop();
    tally.add(await site.check());
  },
);

test("a type that expires does so by the clock there is, and no row is without one", async () => {
  const site = await openSite();
  const clock = createManualClock(START);
  setPipelineType(site.db, { type: "emergency", by: "test", now: START, forSeconds: 3_600 });
  const uploader = startHere(site, clock);
  for (const [days, type] of [
    [0, "emergency"],
    [1, "raw"],
    [-1, "emergency"],
    [2, "raw"],
  ] as const) {
    clock.advance(days * DAY_MS);
    appendReadings(site.db, 100);
    clock.advance(2_000);
    await until(`${type} is shipped`, () => {
      clock.advance(1_000);
      return hasShipped(site);
    });
    const newest = site.place.objects().map(({ name }) => name.sequence);
    const last = site.place.objects().filter(({ name }) => name.sequence === Math.max(...newest));
    expect(last.some(({ name }) => name.route.type === "emergency")).toBe(type === "emergency");
  }
  await uploader.stop();
  tally.add(await site.check());
});

test("an object that rests is tried again though the clock is set back by a day", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  await site.run(["--once"], { UPLOADER_FAILPOINT: "before-put:kill" });
  const state = openState(createStateFolders(site.stateDir), START);
  const real = createDirectorySink({ directory: join(site.folder, "lake") });
  let tries = 0;
  const sink: Sink = {
    ...real,
    put: async (object, signal) => {
      tries++;
      if (tries === 1) throw new UploaderError({ code: "SINK_UNAVAILABLE", message: "offline" });
      return real.put(object, signal);
    },
  };
  let now = START;
  const clock = { now: () => now };
  const waits: { readonly milliseconds: number; readonly end: () => void }[] = [];
  const sleep: Sleep = (milliseconds, signal) =>
    new Promise((resolve) => {
      waits.push({ milliseconds, end: resolve });
      signal?.addEventListener("abort", () => resolve(), { once: true });
    });
  const ownership = createOwnership({ state, sink, place: placeOf(state), clock });
  const delivered: unknown[] = [];
  const delivery = startDelivery({
    ...{ state, sink, ownership, clock, sleep, log: pino({ level: "silent" }), random: () => 0 },
    giveUpAfterMs: null,
    onDelivered: (object) => delivered.push(object),
  });
  const close = async () => {
    await delivery.stop();
    state.close();
    real.close();
  };
  onTestFinished(close);
  await until("it rests", () => waits.some(({ milliseconds }) => milliseconds === 1_000));
  now -= DAY_MS;
  for (const { end } of waits) end();
  await until("it is delivered", () => delivered.length === 1);
  expect(tries).toBe(2);
  await close();
  tally.add(await site.check());
});

test("a clock that is set back does not put off the look at who owns a source", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  await site.ship();
  const state = openState(createStateFolders(site.stateDir), START);
  const sink = createDirectorySink({ directory: join(site.folder, "lake") });
  const close = () => {
    state.close();
    sink.close();
  };
  onTestFinished(close);
  let now = START;
  const ours = createOwnership({ state, sink, place: placeOf(state), clock: { now: () => now } });
  const theirs = createOwnership({ state, sink, place: placeOf(state), clock: { now: () => now } });
  const [source] = readSources(state.db);
  if (!source) throw new Error("there is no source");
  await ours.ensure(source);
  await theirs.ensure(source);
  await ours.ensure(source);
  now -= DAY_MS;
  await expect(ours.ensure(source)).rejects.toMatchObject({ code: "OWNED_BY_ANOTHER" });
  close();
  tally.add(await site.check());
});

test("two lanes that look at once, as after a step of the clock, do not take each other for a copy", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  await site.ship();
  const state = openState(createStateFolders(site.stateDir), START);
  const sink = createDirectorySink({ directory: join(site.folder, "lake") });
  const close = () => {
    state.close();
    sink.close();
  };
  onTestFinished(close);
  let now = START;
  const ownership = createOwnership({ state, sink, place: placeOf(state), clock: { now: () => now } });
  const [source] = readSources(state.db);
  if (!source) throw new Error("there is no source");
  for (const step of [0, DAY_MS, -DAY_MS]) {
    now += step;
    await Promise.all([ownership.ensure(source), ownership.ensure(source)]);
  }
  close();
  tally.add(await site.check());
});

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

suiteWith(existsSync(FAKETIME) ? null : "faketime is not installed", "the clock of the machine", () => {
  test("steps by a day, forward and back, while the uploader runs: nothing is lost and nothing stalls", () =>
    stepByDays());

  suiteFor("versitygw", "before a server whose clock does not step", (server) => {
    test("steps by a day, forward and back: requests are signed by the server's clock", () =>
      stepByDays(server()));
  });
});

async function stepByDays(server?: S3Server): Promise<void> {
  const site = await openSite({ server });
  const offset = join(site.folder, "offset");
  writeFileSync(offset, "+0d\n");
  const uploader = site.start(["--interval", "0.1", "--max-batch-size", "100"], {
    LD_PRELOAD: FAKETIME,
    FAKETIME_TIMESTAMP_FILE: offset,
    FAKETIME_NO_CACHE: "1",
    FAKETIME_DONT_FAKE_MONOTONIC: "1",
  });
  const steps = ["+0d", "+1d", "-1d", "+0d", "-1d", "+1d", "+0d"];
  for (const [index, step] of steps.entries()) {
    writeFileSync(offset, `${step}\n`);
    site.setType(PIPELINE_TYPES[index % PIPELINE_TYPES.length] ?? "raw");
    appendReadings(site.db, 250);
    // In parts, of which each is signed.
    if (server && (index === 1 || index === 4)) appendLarge(site.db);
    await until(`what is new after ${step} is shipped`, () => hasShipped(site));
    await site.observer.look();
  }
  uploader.process.kill("SIGTERM");
  expect(await uploader.finished).toMatchObject({ code: 0, stderr: "" });
  const dates = new Set(site.place.objects().map(({ name }) => name.ingestDate));
  expect(dates.size, "the clock was another one each time").toBeGreaterThanOrEqual(3);
  tally.add(await site.check());
}
