import { expect, test } from "vitest";
import { tallyScenario } from "../faults/campaign.ts";
import { rowsOf } from "../support/invariants.ts";
import type { Incarnation } from "../support/lake-contents.ts";
import type { ReadingsDatabase } from "../support/readings.ts";
import { runProgram } from "../support/uploader-process.ts";
import { flagsOf } from "./command-flags.ts";
import { openSite, type Site } from "./site.ts";

const tally = tallyScenario("3 disk: state rebuilt (nothing to compare)");

const COLUMNS = ["sensor_id", "value"];
const WITHOUT_TIMESTAMP = "id INTEGER PRIMARY KEY AUTOINCREMENT, sensor_id TEXT, value REAL";
const WITH_A_KEY_OF_TEXT = "sensor_id TEXT PRIMARY KEY, value REAL";

let written = 0;

/** A table without a timestamp, whose fifty rows are delivered when the state is lost. */
async function openLost(ddl: string): Promise<{ readonly site: Site; readonly before: Incarnation["rows"] }> {
  const site = await openSite(tally);
  site.db.exec("DROP TABLE readings");
  make(site.db, ddl, 50);
  await site.upload();
  site.loseState();
  return { site, before: rowsNow(site) };
}

function make(db: ReadingsDatabase, ddl: string, rows: number): void {
  db.exec(`DROP TABLE IF EXISTS readings; CREATE TABLE readings (${ddl})`);
  insert(db, rows);
}

/** Rows none of which was ever there before. */
function insert(db: ReadingsDatabase, rows: number): void {
  const statement = db.prepare("INSERT INTO readings (sensor_id, value) VALUES (?, ?)");
  for (let row = 0; row < rows; row++) statement.run(`sensor-${++written}`, written / 8);
}

const rowsNow = ({ db }: Site) => rowsOf(db, "readings", "rowid", COLUMNS);

function check(site: Site, ...incarnations: Incarnation[]): Promise<void> {
  return site.check([{ name: "readings", rowidName: "rowid", columns: COLUMNS, incarnations }]);
}

test.each([20, 90])(
  "a table without a timestamp that was lost together with the state, and now has %i rows, is sent from its first row unless told otherwise",
  async (rows) => {
    const { site, before } = await openLost(WITHOUT_TIMESTAMP);
    make(site.db, WITHOUT_TIMESTAMP, rows);
    const { findings } = await site.rebuild();
    expect(findings.sources[0]?.resume).toMatchObject({ cursor: null, covered: [], rowsToSend: rows });
    await site.upload();
    await check(site, { sinceGeneration: 1, rows: before }, { sinceGeneration: 2, rows: rowsNow(site) });
  },
);

test("where nothing tells whether a table is the one that was delivered, the operator is asked, and nothing changes before", async () => {
  const { site, before } = await openLost(WITHOUT_TIMESTAMP);
  insert(site.db, 40);
  const command = (...more: string[]) =>
    runProgram("uploader", ["state", "rebuild", "--yes", ...flagsOf(site), ...more], { cwd: site.folder });
  const asked = await command();
  expect(asked).toMatchObject({
    code: 2,
    stdout: expect.stringMatching(/Unproven: +.*up to row 50/),
    stderr: expect.stringMatching(
      /readings.*nothing was changed[\s\S]*--unproven skip[\s\S]*--unproven send/,
    ),
  });
  expect(await site.refusal()).toMatch(/not this uploader's to ship/);
  expect(await command("--unproven", "skip")).toMatchObject({ code: 0, stderr: "" });
  await site.upload();
  expect(rowsNow(site).size).toBe(before.size + 40);
  await check(site, { sinceGeneration: 1, rows: rowsNow(site) });
});

test("told to send them, a rebuild sends all rows of such a table again, in a generation of their own", async () => {
  const { site, before } = await openLost(WITHOUT_TIMESTAMP);
  insert(site.db, 40);
  const { findings } = await site.rebuild({ unproven: "send" });
  expect(findings.sources[0]?.resume).toMatchObject({ replaced: null, cursor: null, rowsToSend: 90 });
  await site.upload();
  await check(site, { sinceGeneration: 1, rows: before }, { sinceGeneration: 2, rows: rowsNow(site) });
});

test("a table without a timestamp of which retention has left no row that was delivered goes on", async () => {
  const { site, before } = await openLost(WITHOUT_TIMESTAMP);
  insert(site.db, 40);
  const ever = new Map([...before, ...rowsNow(site)]);
  site.db.exec("DELETE FROM readings WHERE id <= 60");
  const { findings } = await site.rebuild();
  expect(findings.sources[0]?.resume).toMatchObject({ replaced: null, unproven: null, rowsToSend: 30 });
  await site.upload();
  for (const rowid of [...ever.keys()]) if (rowid > 50n && rowid <= 60n) ever.delete(rowid);
  await check(site, { sinceGeneration: 1, rows: ever });
});

test("a table without a timestamp is known again by its key", async () => {
  const { site } = await openLost(WITH_A_KEY_OF_TEXT);
  insert(site.db, 40);
  const { findings } = await site.rebuild();
  expect(findings.sources[0]?.resume).toMatchObject({ replaced: null, unproven: null, rowsToSend: 40 });
  await site.upload();
  await check(site, { sinceGeneration: 1, rows: rowsNow(site) });
});

test("and is told from another one by its key", async () => {
  const { site, before } = await openLost(WITH_A_KEY_OF_TEXT);
  site.db.exec("DELETE FROM readings");
  insert(site.db, 90);
  const { findings } = await site.rebuild();
  expect(findings.sources[0]?.resume).toMatchObject({
    replaced: expect.stringMatching(/is not the one that was delivered/),
    rowsToSend: 90,
  });
  await site.upload();
  await check(site, { sinceGeneration: 1, rows: before }, { sinceGeneration: 2, rows: rowsNow(site) });
});

test("a timestamp column that was renamed leaves nothing to compare", async () => {
  const site = await openSite(tally);
  site.db.exec("DROP TABLE readings");
  make(site.db, `timestamp TEXT, ${WITHOUT_TIMESTAMP}`.replace(/^(timestamp TEXT), (.*)$/, "$2, $1"), 50);
  site.db.exec("UPDATE readings SET timestamp = 1700000000 + id");
  await site.upload();
  site.loseState();
  site.db.exec("ALTER TABLE readings RENAME COLUMN timestamp TO moment");
  insert(site.db, 10);
  const { findings } = await site.rebuild({ unproven: "skip" });
  expect(findings.sources[0]?.resume).toMatchObject({
    replaced: null,
    unproven: expect.any(String),
    rowsToSend: 10,
  });
  await site.upload();
  await check(site, { sinceGeneration: 1, rows: rowsNow(site) });
});
