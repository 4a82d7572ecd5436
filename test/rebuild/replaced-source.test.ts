import { rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { ownerKey } from "../../src/core/object-key.ts";
import { appendReadings, type ReadingsDatabase, reading } from "../support/readings.ts";
import { readDelivered, readSource } from "./every-row-once.ts";
import { openSite, type Site } from "./site.ts";

/** The rows behind `last` are gone, and their rowids are given out again, to as many rows of another time. */
function replaceRowsBehind(db: ReadingsDatabase, last: number, rows: number): void {
  db.prepare("DELETE FROM readings WHERE id > ?").run(last);
  db.prepare("UPDATE sqlite_sequence SET seq = ? WHERE name = 'readings'").run(last);
  for (let number = last + 1; number <= last + rows; number++)
    appendReadings(db, 1, { timestamp: reading(1_000_000 + number).timestamp });
}

/** Every row that the source has now, by its contents, and how often each of them was delivered. */
async function timesDelivered(site: Site): Promise<Map<number, number>> {
  const delivered = await readDelivered(site.objects());
  return new Map(
    readSource(site.db).map(({ rowid, timestamp, temperature }) => [
      rowid,
      delivered.filter(
        (row) => row.rowid === rowid && row.timestamp === timestamp && row.temperature === temperature,
      ).length,
    ]),
  );
}

function everyRowOnce(site: Site): Map<number, number> {
  return new Map(readSource(site.db).map(({ rowid }) => [rowid, 1]));
}

test("a source that was replaced before: rows that both tables have in common do not come again", async () => {
  const site = openSite();
  appendReadings(site.db, 50);
  await site.upload();
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
  expect(await site.upload()).toBe(0);
  expect(await timesDelivered(site)).toEqual(everyRowOnce(site));

  site.loseState({ undelivered: ({ generation }) => generation === 3 });
  await site.rebuild();
  expect(await site.upload()).toBe(0);
  expect(await timesDelivered(site)).toEqual(everyRowOnce(site));
});

test.each([
  { rows: 20, what: "shorter than what was delivered" },
  { rows: 90, what: "longer than what was delivered" },
])(
  "a table that was lost together with the state and is now $what is sent from its first row",
  async ({ rows }) => {
    const site = openSite();
    appendReadings(site.db, 50);
    await site.upload();
    site.loseState();
    replaceRowsBehind(site.db, 0, rows);
    const { findings } = await site.rebuild();
    expect(findings.sources[0]?.resume).toMatchObject({
      replaced: expect.any(String),
      cursor: null,
      covered: [],
      rowidSpaces: [{ since: 2, after: null }],
      rowsToSend: rows,
    });
    expect(await site.upload()).toBe(0);
    expect(await timesDelivered(site)).toEqual(everyRowOnce(site));
  },
);

test("a table that was restored from an older back-up is sent from the last row that was delivered", async () => {
  const site = openSite();
  site.setType("schematized");
  appendReadings(site.db, 90);
  await site.upload();
  site.loseState({ undelivered: ({ sequence }) => sequence === 8 });
  site.db.prepare("DELETE FROM readings WHERE id < 12").run(); // by retention
  replaceRowsBehind(site.db, 55, 100);
  const { findings } = await site.rebuild();
  expect(findings.sources[0]?.resume).toMatchObject({
    cursor: 50n,
    rowidSpaces: [{ after: null }, { after: 50n }],
  });
  expect(await site.upload()).toBe(0);
  const times = await timesDelivered(site);
  // Between two ends of extractions nobody knows; that is said, and their generation tells.
  for (let rowid = 51; rowid <= 55; rowid++) {
    expect(times.get(rowid)).toBe(2);
    times.set(rowid, 1);
  }
  expect(times).toEqual(everyRowOnce(site));
});

test("a table that is replaced after the rebuild is noticed, be it at rows that were left out", async () => {
  const site = openSite();
  appendReadings(site.db, 60);
  await site.upload();
  site.loseState({ undelivered: ({ sequence }) => sequence === 3 });
  await site.rebuild();
  replaceRowsBehind(site.db, 25, 60);
  expect(await site.upload()).toBe(0);
  const times = await timesDelivered(site);
  expect([...times.values()].filter((count) => count === 0)).toEqual([]);
  expect(times).toEqual(everyRowOnce(site));
});

test("without its marker the highest generation alone counts, and no row is lost", async () => {
  const site = openSite();
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
  expect(await site.upload()).toBe(0);
  expect(await timesDelivered(site)).toEqual(everyRowOnce(site));
});
