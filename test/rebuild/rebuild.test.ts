import { copyFileSync, existsSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { stateDocument } from "../../src/cli/state-report.ts";
import { tallyScenario } from "../faults/campaign.ts";
import { appendReadings } from "../support/readings.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { openSite, type Site } from "./site.ts";

const tally = tallyScenario("3 disk: state rebuilt");

describe("on a directory", () => {
  restoresWhatWasLost(() => openSite(tally));

  test("keys that no object could have are nobody's", async () => {
    const site = await openSite(tally);
    appendReadings(site.db, 30);
    await site.upload();
    const path = site.objects().find(({ name }) => name.sequence === 2)?.path ?? "";
    site.loseState();
    const strays = [
      path.replace("-0001-0000000002-", "-100000000000000000000-0000000001-"),
      path.replace("-0001-0000000002-1of1-", "-0001-0000000004-3of2-"),
    ];
    for (const stray of strays) copyFileSync(path, stray);
    const { findings } = await site.rebuild();
    expect(findings.sources[0]).toMatchObject({
      plan: { generation: 2, cursor: 30n, missing: [] },
      resume: { rowsToSend: 0, replaced: null },
    });
    for (const stray of strays) rmSync(stray);
    await site.upload();
    await site.check();
  });
});

suiteFor("versitygw", "a rebuild", (server) => {
  restoresWhatWasLost(() => openSite(tally, { server: server() }));
});

/** How many rows the objects of a generation hold. */
function rowsOf(site: Site, generation: number): number {
  const objects = site.objects().filter(({ name }) => name.generation === generation);
  return objects.reduce((sum, { name }) => sum + name.rows, 0);
}

function restoresWhatWasLost(open: () => Promise<Site>): void {
  test("a state folder that was deleted: nothing comes twice, and new rows go on", async () => {
    const site = await open();
    appendReadings(site.db, 75);
    await site.upload();
    site.loseState();
    appendReadings(site.db, 20);
    expect(await site.refusal()).toMatch(/is not this uploader's to ship/);

    const { findings } = await site.rebuild();
    expect(findings.sources[0]).toMatchObject({
      plan: { generation: 2, cursor: 75n, cursorOf: { generation: 1, sequence: 8 }, missing: [] },
      resume: { rowsLeftOut: 0, rowsToSend: 20, replaced: null },
    });
    await site.upload();
    expect(rowsOf(site, 2)).toBe(20);
    await site.check();
  });

  test("a lost outbox whose objects lie before, between and after delivered ones", async () => {
    const site = await open();
    appendReadings(site.db, 120);
    await site.upload();
    site.loseState({ undelivered: ({ sequence }) => [4, 5, 8, 12].includes(sequence) });

    const { findings } = await site.rebuild();
    expect(findings.sources[0]).toMatchObject({
      plan: {
        cursor: 30n,
        missing: [
          { first: 4, last: 5 },
          { first: 8, last: 8 },
        ],
      },
      resume: { rowsLeftOut: 50, rowsToSend: 40 },
    });
    appendReadings(site.db, 5);
    await site.upload();
    expect(rowsOf(site, 2)).toBe(45);
    await site.check();
    await site.upload();
    expect(rowsOf(site, 2), "a further run changes nothing").toBe(45);
  });
}

test("the first extraction of all missing: the cursor is none, and what was delivered is left out", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 50);
  await site.upload();
  site.loseState({ undelivered: ({ sequence }) => sequence === 1 });
  const { findings } = await site.rebuild();
  expect(findings.sources[0]).toMatchObject({ plan: { cursor: null }, resume: { rowsLeftOut: 40 } });
  await site.upload();
  await site.check();
});

describe("extractions with a missing part", () => {
  test.each(["raw", "emergency"] as const)("emergency, the %s part", async (lost) => {
    const site = await openSite(tally);
    site.setType("emergency");
    appendReadings(site.db, 60);
    await site.upload();
    site.loseState({
      undelivered: ({ sequence, route }) => sequence === 6 || (sequence !== 1 && route.type === lost),
    });
    const { findings } = await site.rebuild();
    const delivered = lost === "raw" ? 4 : 36;
    expect(findings.sources[0]).toMatchObject({
      plan: { cursor: 10n, missing: { length: 4, 0: { parts: { found: 1, of: 2 } } } },
      resume: { rowsLeftOut: delivered, rowsToSend: 50 - delivered },
    });
    await site.upload();
    await site.check();
  });

  test.each([true, false])("schematized, the part whose rows were rejected: %s", async (rejected) => {
    const site = await openSite(tally, { flags: { "max-batch-size": "97" } });
    site.setType("schematized");
    appendReadings(site.db, 400);
    await site.upload();
    expect(site.objects().filter(({ name }) => name.route.rejected)).toHaveLength(4);
    site.loseState({
      undelivered: ({ sequence, route }) => [2, 3].includes(sequence) && route.rejected === rejected,
    });
    await site.rebuild();
    site.setType("raw");
    await site.upload();
    expect(rowsOf(site, 2)).toBe(rejected ? 2 : 192);
    await site.check();
  });
});

test("aggregated extractions count by their ranges, and are made up for by figures that leave rows out", async () => {
  const site = await openSite(tally);
  site.setType("aggregated");
  appendReadings(site.db, 100);
  await site.upload();
  site.loseState({ undelivered: ({ sequence }) => [1, 3, 6, 10].includes(sequence) });
  const { findings } = await site.rebuild();
  expect(findings.sources[0]?.resume).toMatchObject({ cursor: null, rowsLeftOut: 60, rowsToSend: 40 });
  await site.upload();
  expect(site.objects().filter(({ name }) => name.generation === 2)).toHaveLength(4);
  await site.check();

  // One object may hold the rows before, between and after those that are left out.
  const wide = await openSite(tally, { flags: { "max-batch-size": "1000" } });
  wide.setType("aggregated");
  for (const rows of [10, 10, 10, 10]) {
    appendReadings(wide.db, rows);
    await wide.upload();
  }
  wide.loseState({ undelivered: ({ sequence }) => sequence === 1 || sequence === 3 });
  await wide.rebuild();
  appendReadings(wide.db, 10);
  await wide.upload();
  expect(wide.objects().filter(({ name }) => name.generation === 2)).toMatchObject([
    { name: { range: { first: 1n, last: 50n } } },
  ]);
  await wide.check();
});

test("two rebuilds in a row, with losses in between and before the first one's rows were sent", async () => {
  const site = await openSite(tally);
  site.setType("emergency");
  appendReadings(site.db, 100);
  await site.upload();
  site.loseState({ undelivered: ({ sequence }) => [2, 5, 6, 9].includes(sequence) });
  await site.rebuild();
  const first = await site.rebuild();
  expect(first.findings.sources[0]).toMatchObject({
    plan: { generation: 3, cursor: 10n },
    resume: { rowsLeftOut: 50, rowsToSend: 40 },
  });

  appendReadings(site.db, 33);
  await site.upload();
  site.loseState({
    undelivered: ({ generation, sequence, route }) =>
      generation === 3 && (sequence === 1 || (sequence === 3 && route.type === "raw")),
  });
  await site.rebuild();
  appendReadings(site.db, 4);
  await site.upload();
  site.loseState({ undelivered: ({ generation, sequence }) => generation === 4 && sequence === 2 });
  const last = await site.rebuild();
  expect(last.findings.sources[0]?.plan.generation).toBe(5);
  await site.upload();
  await site.check();
});

test("an outbox that could not be delivered is moved aside, and its rows are read again", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 30);
  await site.upload();
  const outbox = join(site.stateDir, "outbox");
  writeFileSync(join(outbox, "1-1-4-raw.parquet"), "of an extraction that was not delivered");
  const database = join(site.stateDir, "state.db");
  truncateSync(database, 5_000);
  const damaged = readFileSync(database);
  expect(await site.refusal()).toMatch(/uploader state rebuild/);
  expect(stateDocumentError(site)).toMatchObject({ hint: expect.stringContaining("uploader state rebuild") });

  const { findings, rebuilt } = await site.rebuild();
  expect(findings.remains).toEqual({ hasDatabase: true, outboxFiles: 1 });
  const [movedOutbox, movedState] = rebuilt.movedAside as [string, string];
  expect(movedOutbox).toMatch(/\/outbox\.replaced-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}Z$/);
  expect(readFileSync(join(movedOutbox, "1-1-4-raw.parquet"), "utf8")).toContain("not delivered");
  expect(movedState).toMatch(/\/state\.db\.replaced-\d{4}/);
  expect(readFileSync(movedState)).toEqual(damaged);
  expect(existsSync(`${database}.rebuilding`)).toBe(false);

  appendReadings(site.db, 10);
  await site.upload();
  await site.check();
  const [source] = stateDocument(site.stateDir).sources;
  expect(source).toMatchObject({
    generation: 2,
    cursor: "40",
    sequence: 1,
    delivered: { objects: 4, rows: 40 },
  });
});

function stateDocumentError(site: Site): unknown {
  try {
    return stateDocument(site.stateDir);
  } catch (error) {
    return error;
  }
}

test("with nothing in the buckets it starts afresh, behind the generation that the marker names", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 30);
  expect((await site.rebuild()).findings.sources[0]?.plan).toMatchObject({ generation: 1, cursor: null });
  await site.upload();
  await site.check();

  site.loseState({ undelivered: () => true });
  expect((await site.rebuild()).findings.sources[0]?.plan).toMatchObject({ generation: 2, cursor: null });
  await site.upload();
  await site.check();
});
