import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { CreateMultipartUploadCommand, PutObjectCommand } from "@aws-sdk/client-s3";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { formatObjectKey } from "../../src/core/object-key.ts";
import { type CheckedTable, checkInvariants, checkRefusal, rowsOf } from "../support/invariants.ts";
import { nameOf } from "../support/lake-place.ts";
import type { LakeObject } from "../support/lake-reader.ts";
import type { ListedObject } from "../support/observer.ts";
import { appendReadings, openForTest } from "../support/readings.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { until } from "../support/until.ts";
import { openSite, type Site } from "./campaign.ts";

/** Breaks a lake that is whole in one way, and says which invariant has to notice. */
const BREAKS: readonly (readonly [string, string, (site: Site) => void])[] = [
  [
    "I1",
    "a row that changed after it was read",
    ({ db }) => db.exec("UPDATE readings SET temperature = 1 WHERE id = 5"),
  ],
  ["I1", "a row that is nowhere", ({ db }) => db.exec("INSERT INTO readings SELECT -1, '', '', '', 1, 1, 1")],
  ["I1", "a row that is in two objects", (site) => copyAs(site, 1, { sequence: 9 })],
  [
    "I1",
    "rows that say another generation than their object's key",
    (site) => moveAs(site, 1, { generation: 2 }),
  ],
  ["I1", "figures of other rows", ({ db }) => db.exec("UPDATE readings SET temperature = 7 WHERE id = 250")],
  ["I1", "rows beyond the cursor", ({ stateDir }) => inState(stateDir, "UPDATE sources SET cursor = 399")],
  ["I2", "an object that is missing", (site) => rmSync(objectOf(site, 2).path)],
  ["I2", "a part that is missing", (site) => rmSync(objectOf(site, 3).path)],
  ["I2", "an extraction that begins within the one before", (site) => moveAs(site, 2, { range: WITHIN })],
  ["I2", "a part that is another extraction's", (site) => moveAs(site, 3, { range: WITHIN })],
  ["I3", "an object that nobody delivered", (site) => copyAs(site, 1, { generation: 2 })],
  ["I3", "a checksum that is another", (site) => listAs(site, 1, "0".repeat(64))],
  ["I3", "bytes that are not those listed", (site) => appendFileSync(objectOf(site, 1).path, "more")],
  ["I4", "an object that was written again", (site) => appendFileSync(objectOf(site, 1).path, "more")],
  ["I4", "an object that was written again with the same bytes", (site) => writeAgain(objectOf(site, 1))],
  ["I5", "a cursor that went back", ({ stateDir }) => inState(stateDir, "UPDATE sources SET cursor = 100")],
  ["I7", "a temporary file", ({ folder }) => writeFileSync(join(folder, "lake", "x.tmp"), "")],
  ["I7", "a file in the state folder", ({ stateDir }) => writeFileSync(join(stateDir, "state.tmp"), "")],
  [
    "I7",
    "an outbox file that nobody lists",
    ({ stateDir }) => writeFileSync(join(stateDir, "outbox/1.parquet"), ""),
  ],
  ["I8", "an object that is no Parquet", (site) => writeFileSync(objectOf(site, 1).path, "PAR1")],
  ["I8", "an object with fewer rows than its key says", (site) => moveAs(site, 1, { rows: 101 })],
  ["I10", "a credential in the state", ({ stateDir }) => inState(stateDir, NOTE_SECRET)],
  ["I10", "a credential in the outbox", ({ stateDir }) => writeFileSync(join(stateDir, "outbox/x"), SECRET)],
  [
    "I10",
    "a credential in a control table",
    ({ db }) => db.exec(`UPDATE pipeline_executions SET error = '${SECRET}'`),
  ],
  [
    "I10",
    "a credential in a marker",
    ({ place }) => appendFileSync(place.markers().find((path) => path.endsWith(".json")) ?? "", SECRET),
  ],
  ["I10", "a credential in an object's file", (site) => appendFileSync(objectOf(site, 1).path, SECRET)],
];
const WITHIN = { first: 50n, last: 200n };
const SECRET = "test-secret-access-key";
const NOTE_SECRET = `UPDATE sources SET revision = '${SECRET}'`;

test.each(BREAKS)("%s is violated by %s, and the checker says so", async (invariant, _, damage) => {
  const site = await openSite();
  appendReadings(site.db, 200);
  expect(await site.ship({ "max-batch-size": 100 })).toMatchObject({ code: 0 });
  for (const type of ["emergency", "aggregated"] as const) {
    appendReadings(site.db, 100);
    site.setType(type);
    expect(await site.ship()).toMatchObject({ code: 0 });
  }
  await site.check();
  damage(site);
  const { violations } = await checkAsItIs(site);
  expect(violations).toContainEqual(expect.stringMatching(new RegExp(`^${invariant}:`)));
});

/** Without a run, which would refuse or mend what was broken. */
function checkAsItIs(site: Site, table: Partial<CheckedTable> = {}) {
  return checkInvariants({
    ...site.checkOptions([{ name: "readings", ...table }]),
    runOnce: async () => ({ code: 0, printed: "" }),
    secrets: [SECRET],
  });
}

/** What somebody else does to the source, who is not the test: what it must not do is what the uploader must not. */
const MEDDLING: readonly (readonly [sql: string, said: RegExp])[] = [
  ["UPDATE readings SET synced = 1 WHERE id = 3", /1 rows of readings have changed, such as 3$/],
  ["UPDATE readings SET anomaly_flag = '1x' WHERE id = 3", /1 rows of readings have changed, such as 3$/],
  [
    "UPDATE readings SET temperature = x'00' WHERE id IN (2, 3)",
    /2 rows of readings have changed, such as 2$/,
  ],
  ["DELETE FROM readings WHERE id = 7", /1 rows of readings have changed, such as 7$/],
  ["INSERT INTO readings SELECT 99, 'a', 'b', 'c', 1, 1, 1", /rows of readings have changed, such as 99$/],
  ["UPDATE sqlite_sequence SET seq = 50 WHERE name = 'readings'", /rows of sqlite_sequence have changed/],
  ["UPDATE other SET x = 'B'", /1 rows of other have changed, such as 1$/],
  ["CREATE TABLE more (x)", /the schema is/],
  ["CREATE INDEX sneaked_in ON readings (synced)", /the schema is/],
  ["CREATE TRIGGER sneaked_in AFTER INSERT ON readings BEGIN SELECT 1; END", /the schema is/],
  ["DROP TABLE other", /the schema is/],
  ["PRAGMA journal_mode = DELETE", /the journal mode is delete instead of wal/],
];

test.each(MEDDLING)(
  "I6 is violated by %s, while the test writes, and the checker says so",
  async (sql, said) => {
    const site = await openSite();
    site.db.exec("CREATE TABLE other (x TEXT COLLATE NOCASE); INSERT INTO other VALUES ('b')");
    appendReadings(site.db, 10);
    const uploader = site.startHere({ interval: 0.1 });
    await until("rows are shipped", () => site.place.objects().length > 0);
    appendReadings(site.db, 5);
    const incarnations = [{ sinceGeneration: 1, rows: rowsOf(site.db, "readings") }];
    site.db.exec("UPDATE readings SET synced = 2 WHERE id = 5; DELETE FROM readings WHERE id = 1");
    await until("all are", () => site.place.objects().reduce((sum, { name }) => sum + name.rows, 0) === 15);
    await uploader.stop();
    await site.check([{ name: "readings", incarnations }]);
    site.db.close();
    const meddler = openForTest(site.database);
    meddler.exec(sql);
    meddler.close();
    const { violations } = await checkAsItIs(site, { incarnations });
    const ours = violations.filter((violation) => violation.startsWith("I6:"));
    expect(ours).toContainEqual(expect.stringMatching(said));
  },
);

test("I6 is violated by a damaged index, and the checker says so", async () => {
  const site = await openSite();
  site.db.exec("CREATE INDEX by_time ON readings (timestamp)");
  appendReadings(site.db, 10);
  await site.check();
  const root = site.db.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'by_time'").pluck().get();
  const pageSize = site.db.pragma("page_size", { simple: true }) as number;
  site.db.pragma("wal_checkpoint(TRUNCATE)");
  const bytes = readFileSync(site.database);
  const at = bytes.indexOf("2024-", ((root as number) - 1) * pageSize);
  bytes.write("1024-", at);
  writeFileSync(site.database, bytes);
  const { violations } = await checkAsItIs(site);
  expect(violations).toEqual([
    expect.stringMatching(/^I6: integrity_check: row \d+ missing from index by_time$/),
  ]);
});

suiteFor("versitygw", "the checker", (server) => {
  test("I7 is violated by an open multipart upload, and the checker says so", async () => {
    const site = await openSite({ server: server(), isInProcess: true });
    appendReadings(site.db, 10);
    await site.check();
    const { bucket: Bucket, key: Key } = objectOf(site, 1);
    await server().client.send(new CreateMultipartUploadCommand({ Bucket, Key }));
    const { violations } = await checkAsItIs(site);
    expect(violations).toEqual([expect.stringContaining(`I7: ${Bucket}/${Key} `)]);
  });

  test.each(["sha256", "rows"])(
    "I3 is violated by metadata with another %s, and the checker says so",
    async (name) => {
      const site = await openSite({ server: server(), isInProcess: true });
      appendReadings(site.db, 10);
      await site.check();
      const object = objectOf(site, 1);
      const { bucket: Bucket, key: Key } = object;
      const Metadata = { ...(await site.place.metadata(object)), [name]: "11" };
      const Body = readFileSync(object.path);
      await server().client.send(new PutObjectCommand({ Bucket, Key, Body, Metadata }));
      const { violations } = await checkAsItIs(site);
      expect(violations).toContainEqual(expect.stringMatching(/^I3: the metadata of .* are /));
    },
  );

  test("I10 is violated by a credential in an object's metadata, and the checker says so", async () => {
    const site = await openSite({ server: server(), isInProcess: true });
    appendReadings(site.db, 10);
    await site.check();
    const object = objectOf(site, 1);
    const { bucket: Bucket, key: Key } = object;
    const { client } = server();
    const Metadata = { ...(await site.place.metadata(object)), note: SECRET };
    await client.send(new PutObjectCommand({ Bucket, Key, Body: readFileSync(object.path), Metadata }));
    const { violations } = await checkAsItIs(site);
    expect(violations).toContainEqual(`I10: a credential is in the metadata of ${Bucket}/${Key}`);
  });
});

/** Shipped as two generations, of which the second resumes behind row 80. */
async function openReplaced() {
  const site = await openSite();
  const { db } = site;
  appendReadings(db, 100);
  expect(await site.ship({ "max-batch-size": 20 })).toMatchObject({ code: 0 });
  const before = rowsOf(db, "readings");
  // With a change of what is left, so that it is compared where objects ended.
  db.exec(`UPDATE readings SET synced = 1; DELETE FROM readings WHERE id > 90;
    UPDATE sqlite_sequence SET seq = 90 WHERE name = 'readings'`);
  appendReadings(db, 30, { timestamp: "2025-01-01T00:00:00.000Z" });
  expect(await site.ship()).toMatchObject({ code: 0 });
  const incarnations = [
    { sinceGeneration: 1, rows: before },
    { sinceGeneration: 2, rows: rowsOf(db, "readings"), resumeAfter: 80 },
  ] as const;
  await site.check([{ name: "readings", incarnations }]);
  return { site, incarnations };
}

test.each<[what: string, said: RegExp, change: (given: Awaited<ReturnType<typeof openReplaced>>) => void]>([
  [
    "a row of the first that is nowhere",
    /^I1: row 101 since generation 1 was never shipped$/,
    ({ incarnations: [{ rows }] }) => rows.set(101n, rows.get(100n) as string[][]),
  ],
  [
    "a row of the first that was another",
    /^I1: row 3 of .* instead of /,
    ({ incarnations: [{ rows }] }) => rows.set(3n, rows.get(4n) as string[][]),
  ],
  [
    "an object of the first that is missing",
    /^I1: row 41 since generation 1 was never shipped$/,
    ({ site }) => rmSync(objectOf(site, 3).path),
  ],
  [
    "an object of the first that is there twice",
    /^I1: row 1 since generation 1 was shipped 2 times, not 1$/,
    ({ site }) => copyAs(site, 1, { sequence: 9 }),
  ],
  [
    "rows that the second should have shipped again",
    /^I1: row 80 since generation 2 was never shipped$/,
    ({ incarnations: [, second] }) => Object.assign(second, { resumeAfter: 79 }),
  ],
  [
    "rows that the second should not have shipped again",
    /^I1: row 81 since generation 1 was shipped 2 times, not 1$/,
    ({ incarnations: [, second] }) => Object.assign(second, { resumeAfter: 81 }),
  ],
  [
    "rows that the second left out, and the first never had",
    /^I1: row 80 since generation 2 is not that of the generation before$/,
    ({ incarnations: [{ rows }] }) => rows.delete(80n),
  ],
])("I1 is violated by %s, where a table was replaced, and the checker says so", async (_, said, change) => {
  const given = await openReplaced();
  change(given);
  const { violations } = await checkAsItIs(given.site, { incarnations: given.incarnations });
  expect(violations).toContainEqual(expect.stringMatching(said));
});

test("rows that may come twice have to, and to be told apart", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  expect(await site.ship()).toMatchObject({ code: 0 });
  const elsewhere = { objects: 0, rows: 0 };
  const check = async (told: "_generation" | "_extracted_at", rowids: readonly bigint[]) =>
    (await checkAsItIs(site, { twice: { rowids: new Set(rowids), told, elsewhere } })).violations;
  expect(await check("_generation", [5n])).toEqual([
    expect.stringMatching(/^I1: row 5 .* was shipped 1 times, not 2$/),
  ]);
  expect(await check("_extracted_at", [])).toEqual([expect.stringMatching(/^I2: .* no number came twice$/)]);
  // The same bytes under another key have the same columns.
  copyAs(site, 1, { sequence: 2 });
  const all = Array.from({ length: 10 }, (_, index) => BigInt(index + 1));
  const violations = await check("_generation", all);
  expect(violations).toContainEqual(expect.stringMatching(/^I1: row 1 .* with one _generation: 1,1$/));
  expect(violations).not.toContainEqual(expect.stringMatching(/times, not/));
  expect(violations).toContainEqual(
    expect.stringMatching(/^I3: the state counts 1,10 objects .* there are 2,20/),
  );
});

test("I4 is violated by a state that lists a key again with another checksum, and the checker says so", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  // A file stands in the lake's place, so that the object waits.
  const lake = join(site.folder, "lake");
  writeFileSync(lake, "");
  expect(await site.ship()).toMatchObject({ code: 1 });
  await site.observer.look();
  expect(site.observer.listed.size).toBe(1);
  rmSync(lake);
  inState(site.stateDir, `UPDATE objects SET sha256 = '${"0".repeat(64)}'`);
  const { violations } = await checkAsItIs(site);
  expect(violations).toContainEqual(
    expect.stringMatching(/^I4: .* was listed as .* and is as 0{64} with 10 rows/),
  );
});

test.each([
  ["a log, or an error", { printed: [`{"msg":"signed with ${SECRET}"}`] }],
  ["what a clean run prints", { runOnce: async () => ({ code: 0, printed: `uploader: ${SECRET}` }) }],
])("I10 is violated by a credential in %s, and the checker says so", async (_, more) => {
  const site = await openSite();
  appendReadings(site.db, 10);
  await site.check();
  const { violations } = await checkInvariants({
    ...site.checkOptions([{ name: "readings" }]),
    runOnce: async () => ({ code: 0, printed: "" }),
    secrets: [SECRET],
    ...more,
  });
  expect(violations).toEqual(["I10: a credential is in what the uploader printed"]);
});

test.each([
  [
    "the rows that wait for their window",
    "UPDATE sources SET hold_row = 1, hold_through = 2, hold_since = 3",
  ],
  ["a position", "DELETE FROM positions WHERE ordinal = (SELECT max(ordinal) FROM positions)"],
  ["a range that was found delivered", "INSERT INTO covered_ranges SELECT id, 900, 901 FROM sources"],
])("I9 is violated by a further run that changes %s, and the checker says so", async (_, sql) => {
  const site = await openSite();
  appendReadings(site.db, 10);
  await site.check();
  let runs = 0;
  const { violations } = await checkInvariants({
    ...site.checkOptions([{ name: "readings" }]),
    runOnce: async () => {
      if (++runs === 2) inState(site.stateDir, sql);
      return { code: 0, printed: "" };
    },
  });
  expect(violations).toEqual([expect.stringMatching(/^I9: .* became /)]);
});

test("I9 is violated by a further run that ships, and the checker says so", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  await site.check();
  const { violations } = await checkInvariants({
    ...site.checkOptions([{ name: "readings", incarnations: [] }]),
    tables: [],
    runOnce: () => {
      appendReadings(site.db, 10);
      return site.ship();
    },
  });
  expect(violations).toContainEqual(expect.stringMatching(/^I9: .* became /));
});

test("I9 is violated by a further run that changes a control table, and the checker says so", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  await site.check();
  const { violations } = await checkInvariants({
    ...site.checkOptions([{ name: "readings" }]),
    runOnce: async () => {
      const other = openForTest(site.database);
      other.exec("UPDATE pipeline_executions SET completed_at = completed_at || '+'");
      other.close();
      return { code: 0, printed: "" };
    },
  });
  expect(violations).toEqual([expect.stringMatching(/^I9: .*pipeline_executions.* became /)]);
});

test("I3 is violated by what a process has said is delivered, and is another now, and the checker says so", async () => {
  const site = await openSite();
  appendReadings(site.db, 200);
  expect(await site.start(["--once", "--max-batch-size", "100"]).finished).toMatchObject({ code: 0 });
  const [first, second] = site.place.objects() as [LakeObject, LakeObject];
  appendFileSync(first.path, "more");
  rmSync(second.path);
  const { violations } = await checkAsItIs(site);
  expect(site.observer.listed).toEqual(new Map());
  expect(violations).toContainEqual(
    expect.stringMatching(new RegExp(`^I3: rows and bytes of ${nameOf(first)} were 100,\\d+ when`)),
  );
  expect(violations).toContainEqual(`I3: ${nameOf(second)} is not there`);
});

test("I9 is violated by a run that should have been refused, and the checker says so", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  const { violations } = await checkRefusal(site.checkOptions([]));
  expect(violations).toEqual([
    expect.stringMatching(/^I9: it was not refused/),
    expect.stringMatching(/^I9: .* became /),
  ]);
});

function objectOf(site: Site, sequence: number): LakeObject {
  return site.place.objects().find(({ name }) => name.sequence === sequence) as LakeObject;
}

function copyAs(site: Site, sequence: number, changed: Partial<LakeObject["name"]>): void {
  const { bucket, path, name } = objectOf(site, sequence);
  const copy = join(site.folder, "lake", bucket, formatObjectKey({ ...name, ...changed }));
  mkdirSync(dirname(copy), { recursive: true });
  copyFileSync(path, copy);
}

function moveAs(site: Site, sequence: number, changed: Partial<LakeObject["name"]>): void {
  const { path } = objectOf(site, sequence);
  copyAs(site, sequence, changed);
  rmSync(path);
}

function writeAgain({ path }: LakeObject): void {
  const bytes = readFileSync(path);
  rmSync(path);
  writeFileSync(path, bytes);
}

/** As if the state had listed the object with another checksum. */
function listAs(site: Site, sequence: number, sha256: string): void {
  const object = objectOf(site, sequence);
  const bytes = statSync(object.path).size;
  const listed = site.observer.listed as Map<string, ListedObject>;
  listed.set(nameOf(object), { sha256, bytes, rows: object.name.rows });
}

function inState(stateDir: string, sql: string): void {
  const db = new Database(join(stateDir, "state.db"));
  db.exec(sql);
  db.close();
}
