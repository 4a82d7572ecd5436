import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { ownerKey } from "../../src/core/object-key.ts";
import { tallyScenario } from "../faults/campaign.ts";
import { rowsOf } from "../support/invariants.ts";
import type { Incarnation } from "../support/lake-contents.ts";
import { appendReadings, type ReadingsDatabase, reading } from "../support/readings.ts";
import { openSite, type Site } from "./site.ts";

const tally = tallyScenario("3 disk: state rebuilt (source replaced)");

/** The rows behind `last` are gone, and their rowids are given out again, to as many rows of another time. */
function replaceRowsBehind(db: ReadingsDatabase, last: number, rows: number): void {
  db.prepare("DELETE FROM readings WHERE id > ?").run(last);
  db.prepare("UPDATE sqlite_sequence SET seq = ? WHERE name = 'readings'").run(last);
  for (let number = last + 1; number <= last + rows; number++)
    appendReadings(db, 1, { timestamp: reading(1_000_000 + number).timestamp });
}

/** The rows as they are, as an incarnation for the checker. */
const rowsNow = ({ db }: Site) => rowsOf(db, "readings");

/** All but those that were lost with the outbox and that the source has no more. */
function without(rows: Incarnation["rows"], first: number, last: number): Incarnation["rows"] {
  return new Map([...rows].filter(([rowid]) => rowid < BigInt(first) || rowid > BigInt(last)));
}

test("a source that was replaced before: rows that both tables have in common do not come again", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 50);
  await site.upload();
  const before = rowsNow(site);
  replaceRowsBehind(site.db, 30, 40);
  await site.upload();
  expect(new Set(site.objects().map(({ name }) => name.generation))).toEqual(new Set([1, 2]));

  site.loseState({
    undelivered: ({ generation, sequence }) => (generation === 2 ? sequence === 1 : sequence === 2),
  });
  const { findings } = await site.rebuild();
  expect(findings.sources[0]).toMatchObject({
    plan: { generation: 3, cursor: 10n },
    resume: { replaced: null, rowsLeftOut: 40, rowsToSend: 20 },
  });
  await site.upload();
  const incarnations = [
    { sinceGeneration: 1, rows: before },
    { sinceGeneration: 2, rows: rowsNow(site), resumeAfter: 30 },
  ];
  await site.check([{ name: "readings", incarnations }]);

  site.loseState({ undelivered: ({ generation }) => generation === 3 });
  await site.rebuild();
  await site.upload();
  await site.check([{ name: "readings", incarnations }]);
});

test.each((["raw", "aggregated"] as const).flatMap((type) => [20, 90].map((rows) => ({ type, rows }))))(
  "a table that was lost together with the state, of which there are $type objects, and that now has $rows rows, is sent from its first row",
  async ({ type, rows }) => {
    const site = await openSite(tally);
    site.setType(type);
    appendReadings(site.db, 50);
    await site.upload();
    site.loseState();
    const before = rowsNow(site);
    replaceRowsBehind(site.db, 0, rows);
    const { findings } = await site.rebuild();
    expect(findings.sources[0]?.resume).toMatchObject({
      replaced: expect.any(String),
      cursor: null,
      covered: [],
      rowidSpaces: [{ since: 2, after: null }],
      rowsToSend: rows,
    });
    await site.upload();
    const incarnations = [
      { sinceGeneration: 1, rows: before },
      { sinceGeneration: 2, rows: rowsNow(site) },
    ];
    await site.check([{ name: "readings", incarnations }]);
  },
);

test("a table that was lost together with the state is sent from its first row, though it has a time in common with the old one", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 50);
  await site.upload();
  site.loseState();
  const before = rowsNow(site);
  replaceRowsBehind(site.db, 0, 90);
  site.db.prepare("UPDATE readings SET timestamp = ? WHERE id = 30").run(reading(30).timestamp);
  await site.rebuild();
  await site.upload();
  const incarnations = [
    { sinceGeneration: 1, rows: before },
    { sinceGeneration: 2, rows: rowsNow(site) },
  ];
  await site.check([{ name: "readings", incarnations }]);
});

test("a table that was restored from an older back-up is sent from the last row that was delivered", async () => {
  const site = await openSite(tally);
  site.setType("schematized");
  appendReadings(site.db, 90);
  await site.upload();
  site.loseState({ undelivered: ({ sequence }) => sequence === 8 });
  const before = without(rowsNow(site), 71, 80);
  site.db.prepare("DELETE FROM readings WHERE id < 12").run(); // by retention
  replaceRowsBehind(site.db, 55, 100);
  const { findings } = await site.rebuild();
  expect(findings.sources[0]?.resume).toMatchObject({
    cursor: 50n,
    rowidSpaces: [{ after: null }, { after: 50n }],
  });
  await site.upload();
  // Rows 51 to 55 come twice: between two ends of extractions nobody knows. That is said, and their generation tells.
  const incarnations = [
    { sinceGeneration: 1, rows: before },
    { sinceGeneration: 2, rows: rowsNow(site), resumeAfter: 50 },
  ];
  await site.check([{ name: "readings", incarnations }]);
});

test("a table that is replaced after the rebuild is noticed, be it at rows that were left out", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 60);
  await site.upload();
  site.loseState({ undelivered: ({ sequence }) => sequence === 3 });
  const before = without(rowsNow(site), 21, 30);
  await site.rebuild();
  replaceRowsBehind(site.db, 25, 60);
  await site.upload();
  const incarnations = [
    { sinceGeneration: 1, rows: before },
    { sinceGeneration: 3, rows: rowsNow(site), resumeAfter: 20 },
  ];
  await site.check([{ name: "readings", incarnations }]);
});

test("rows that are still to be sent are, where the highest row is another one after the rebuild", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 60);
  await site.upload();
  site.loseState({ undelivered: ({ sequence }) => sequence === 3 });
  const before = without(rowsNow(site), 21, 30);
  await site.rebuild();
  site.db.exec("UPDATE readings SET timestamp = '2031-01-01' WHERE id = 60");
  await site.upload();
  const incarnations = [
    { sinceGeneration: 1, rows: before },
    { sinceGeneration: 3, rows: rowsNow(site), resumeAfter: 20 },
  ];
  await site.check([{ name: "readings", incarnations }]);
});

test("without its marker the highest generation alone counts, and no row is lost", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 40);
  await site.upload();
  site.loseState({ undelivered: ({ sequence }) => sequence === 4 });
  const marker = join(site.folder, "lake", site.settings.sink.buckets.raw, ownerKey("press-7", "readings"));
  rmSync(dirname(marker), { recursive: true });
  const { findings } = await site.rebuild();
  expect(findings.sources[0]).toMatchObject({
    survey: { marker: null },
    plan: { generation: 2, cursor: 30n },
  });
  await site.upload();
  await site.check();
});
