import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";
import { rowsOf } from "../support/invariants.ts";
import { appendReadings } from "../support/readings.ts";
import { createRandom } from "../support/seeded-random.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { openSite, SEED, tallyScenario } from "./campaign.ts";
import { distinctOutcomes, findLost, type Outcome } from "./lost-writes.ts";
import { type RecordedRun, ROWS_EACH, recordRun, type Step } from "./recorded-run.ts";

const EXTRACTIONS = 30;
/** Of the run whose every outcome the program is started on. */
const EXTRACTIONS_RESTARTED = 4;
/** Outcomes of one cut, beside those that keep all and nothing, where there are more. */
const MOST_OUTCOMES = 3;

const tally = tallyScenario(`1 power loss (seed ${SEED})`);

test("whatever state.db lists is whole, wherever the power is cut", async () => {
  const site = await openSite();
  const run = await recordRun(site, EXTRACTIONS);
  const { outcomes, violations } = findLost(run, createRandom(SEED));
  expect(violations).toEqual([]);
  // Of each object, in most of the moments in which it is listed.
  expect(outcomes).toBeGreaterThan(10 * 2 * EXTRACTIONS);
  const findings = await site.check();
  expect(findings).toMatchObject({ rows: EXTRACTIONS * ROWS_EACH, objects: EXTRACTIONS * 2 });
  tally.add(findings);

  // The model would find a sync that is left out, and a file that is removed before it is struck.
  const lostIn = (steps: readonly Step[]) => findLost({ ...run, steps }, createRandom(SEED)).violations;
  const without = (kind: Step["kind"]) => lostIn(run.steps.filter((step) => step.kind !== kind));
  expect(without("sync")).toContainEqual(expect.stringContaining("contents are lost"));
  expect(without("sync folder")).toContainEqual(expect.stringContaining("name is lost"));
  expect(lostIn(withEarlyRemovals(run))).toContainEqual(expect.stringContaining("name is lost"));
});

/** As if each file had been removed while it was still listed. */
function withEarlyRemovals({ steps }: RecordedRun): Step[] {
  const removals = steps.filter(({ kind }) => kind === "remove");
  return steps.flatMap((step, index) => {
    if (step.kind === "remove") return [];
    const isLast = (file: string) =>
      step.before.listed.has(file) && !steps.slice(index + 1).some(({ before }) => before.listed.has(file));
    const early = removals.filter(({ file }) => isLast(file));
    return [...early.map((removal) => ({ ...removal, before: step.before })), step];
  });
}

test(`the program goes on from all that a loss of power may leave: TEST_SEED=${SEED}`, async () => {
  const folder = temporaryFolder();
  const site = await openSite({ folder });
  const run = await recordRun(site, EXTRACTIONS_RESTARTED);
  await site.check();
  site.db.close();
  const kinds = new Set<string>();
  for (const outcome of distinctOutcomes(run, MOST_OUTCOMES, createRandom(SEED))) {
    for (const kind of kindsOf(outcome, run)) kinds.add(kind);
    materialise(outcome, folder);
    const after = await openSite({ folder });
    await after.observer.look();
    appendReadings(after.db, 10);
    const findings = await after.check();
    expect(findings.rows).toBe(rowsOf(after.db, "readings").size);
    tally.add(findings);
    after.db.close();
  }
  expect([...kinds].sort()).toEqual(["listed", "not listed yet", "struck"]);
}, 300_000);

/** What the files that are left are to the state; of each kind there have to be some. */
function kindsOf({ done, durable: { listed }, outbox }: Outcome, { steps }: RecordedRun): string[] {
  const isStruck = (file: string) => steps.slice(0, done).some(({ before }) => before.listed.has(file));
  return [...outbox]
    .filter(([, contents]) => contents !== null)
    .map(([file]) => (listed.has(file) ? "listed" : isStruck(file) ? "struck" : "not listed yet"));
}

test("a listed file whose sync was left out is refused, and a rebuild brings its rows", async () => {
  const folder = temporaryFolder();
  const site = await openSite({ folder });
  const run = await recordRun(site, 1);
  await site.check();
  site.db.close();
  const steps = run.steps.filter(({ kind }) => kind !== "sync");
  const outcomes = distinctOutcomes({ ...run, steps }, 0, createRandom(SEED));
  const torn = [...outcomes].find(
    ({ durable, outbox }) =>
      durable.listed.size === 2 && [...outbox.values()].every((contents) => contents?.length === 0),
  );
  materialise(torn as Outcome, folder);
  const after = await openSite({ folder });
  expect(await after.ship()).toMatchObject({ code: 1, printed: expect.stringContaining("OUTBOX_DAMAGED") });
  expect(after.place.objects()).toEqual([]);
  expect(await after.run(["state", "rebuild", "--yes"])).toMatchObject({ code: 0 });
  tally.add(await after.check());
});

/** Makes the machine what it is when the power is back. */
function materialise({ durable, outbox }: Outcome, folder: string): void {
  for (const name of ["state", "lake"]) rmSync(join(folder, name), { recursive: true, force: true });
  for (const suffix of ["", "-wal", "-shm"]) rmSync(join(folder, `sensor.db${suffix}`), { force: true });
  const state = join(folder, "state");
  mkdirSync(join(state, "outbox"), { recursive: true, mode: 0o700 });
  writeFileSync(join(state, "state.db"), durable.state);
  writeFileSync(join(folder, "sensor.db"), durable.source);
  for (const [file, contents] of outbox)
    if (contents !== null) writeFileSync(join(state, "outbox", file), contents);
  for (const [path, contents] of durable.lake) {
    const target = join(folder, "lake", path);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, contents);
  }
}
