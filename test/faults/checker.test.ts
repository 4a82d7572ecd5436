import { appendFileSync, copyFileSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { formatObjectKey } from "../../src/core/object-key.ts";
import { checkInvariants, noteSource, rowsOf } from "../support/invariants.ts";
import { nameOf } from "../support/lake-place.ts";
import type { LakeObject } from "../support/lake-reader.ts";
import type { ListedObject } from "../support/observer.ts";
import { appendReadings } from "../support/readings.ts";
import { NODE, openSite, type Site } from "./campaign.ts";

/** Breaks a lake that is whole in one way, and says which invariant has to notice. */
const BREAKS: readonly (readonly [string, string, (site: Site) => void])[] = [
  [
    "I1",
    "a row that changed after it was read",
    ({ db }) => db.exec("UPDATE readings SET temperature = 1 WHERE id = 5"),
  ],
  ["I1", "a row that is nowhere", ({ db }) => db.exec("INSERT INTO readings SELECT -1, '', '', '', 1, 1, 1")],
  ["I1", "a row that is in two objects", (site) => copyAs(site, 1, { sequence: 9 })],
  ["I1", "figures of other rows", ({ db }) => db.exec("UPDATE readings SET temperature = 7 WHERE id = 250")],
  ["I2", "an object that is missing", (site) => rmSync(objectOf(site, 2).path)],
  ["I2", "a part that is missing", (site) => rmSync(objectOf(site, 3).path)],
  ["I3", "an object that nobody delivered", (site) => copyAs(site, 1, { generation: 2 })],
  ["I3", "a checksum that is another", (site) => listAs(site, 1, "0".repeat(64))],
  ["I4", "an object that was written again", (site) => appendFileSync(objectOf(site, 1).path, "more")],
  ["I5", "a cursor that went back", ({ stateDir }) => inState(stateDir, "UPDATE sources SET cursor = 100")],
  ["I7", "a temporary file", ({ folder }) => writeFileSync(join(folder, "lake", "x.tmp"), "")],
  ["I7", "a file in the state folder", ({ stateDir }) => writeFileSync(join(stateDir, "state.tmp"), "")],
  [
    "I7",
    "an outbox file that nobody lists",
    ({ stateDir }) => writeFileSync(join(stateDir, "outbox/1.parquet"), ""),
  ],
  ["I8", "an object that is no Parquet", (site) => writeFileSync(objectOf(site, 1).path, "PAR1")],
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
const SECRET = "test-secret-access-key";

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
function checkAsItIs(site: Site) {
  return checkInvariants({
    ...site,
    node: NODE,
    tables: [{ name: "readings" }],
    source: noteSource(site.database, ["readings"]),
    runOnce: async () => ({ code: 0, printed: "" }),
    printed: [],
    secrets: [SECRET],
  });
}

test("I6 is violated by a source that changed, and the checker says so", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  await site.check();
  const source = noteSource(site.database, ["readings"]);
  site.db.exec("UPDATE readings SET synced = 1");
  site.db.exec("CREATE INDEX sneaked_in ON readings (synced)");
  site.db.pragma("journal_mode = DELETE");
  const findings = await checkInvariants({
    ...site,
    node: NODE,
    tables: [{ name: "readings", incarnations: [{ sinceGeneration: 1, rows: rowsOf(site.db, "readings") }] }],
    source,
    runOnce: async () => ({ code: 0, printed: "" }),
    printed: [],
    secrets: [],
  });
  expect(findings.violations.map((violation) => violation.slice(0, 25))).toEqual([
    expect.stringContaining("I6: the journal mode"),
    expect.stringContaining("I6: the schema"),
    expect.stringContaining("I6: the rows of readings"),
  ]);
});

test("I9 is violated by a further run that ships, and the checker says so", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  await site.check();
  const { violations } = await checkInvariants({
    ...site,
    node: NODE,
    tables: [{ name: "readings" }],
    source: noteSource(site.database, []),
    runOnce: () => {
      appendReadings(site.db, 10);
      return site.ship();
    },
    printed: [],
    secrets: [],
  });
  expect(violations).toEqual([expect.stringMatching(/^I9: .* became /)]);
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
