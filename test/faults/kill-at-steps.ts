import { existsSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { outboxDocument } from "../../src/cli/outbox-report.ts";
import { FAILPOINTS, type Failpoint } from "../../src/core/failpoints.ts";
import { rowsOf } from "../support/invariants.ts";
import { sha256Of } from "../support/lake-place.ts";
import { appendReadings, createReadings } from "../support/readings.ts";
import type { S3Server } from "../support/s3-servers.ts";
import { openSite, type Site, tallyScenario } from "./campaign.ts";
import { appendLarge } from "./large-rows.ts";

/** Hits at which a step is tried. */
const HITS = [1, 2, 3];

/** Steps of an object that is sent in parts. */
const OF_PARTS: readonly Failpoint[] = ["before-part", "after-part", "before-completion", "after-completion"];
/** Steps of commands that change the state folder, wherever the objects go. */
const OF_REBUILD: readonly Failpoint[] = [
  "before-replace",
  "after-outbox-aside",
  "after-state-aside",
  "after-replace",
];
const OF_SET_ASIDE: readonly Failpoint[] = [
  "after-note",
  "after-copy-aside",
  "before-forget",
  "after-forget",
];

const OF_COMMANDS: readonly Failpoint[] = [...OF_REBUILD, ...OF_SET_ASIDE];

export const ONLY_DIRECTORY: readonly Failpoint[] = [
  ...["before-rename-of-marker", "before-link", "after-link"],
  ...OF_COMMANDS,
] as readonly Failpoint[];
export const ONLY_S3: readonly Failpoint[] = [...OF_PARTS, "before-confirm"];

/** Steps that need a history to be come to. */
const OF_HOLD: readonly Failpoint[] = ["before-hold", "after-hold"];
const OF_GENERATION: readonly Failpoint[] = ["before-generation", "after-generation"];
/** Steps that a run comes to once, so that there is no second hit. */
export const ONCE: readonly Failpoint[] = [
  ...OF_HOLD,
  ...OF_GENERATION,
  ...OF_REBUILD,
  ...["before-completion", "after-completion"],
  ...["before-intent", "after-intent", "before-rename-of-marker", "after-marker"],
  ...["before-record", "after-record", "after-mark-recorded"],
] as readonly Failpoint[];

/** The steps of shipping rows that wait for nothing, of a source that is not replaced, in one request an object. */
export function stepsOnTheWay(server: S3Server | undefined): readonly Failpoint[] {
  const others = [
    ...(server ? ONLY_DIRECTORY : ONLY_S3),
    ...OF_COMMANDS,
    ...OF_PARTS,
    ...OF_GENERATION,
    ...OF_HOLD,
  ];
  return FAILPOINTS.filter((name) => !others.includes(name));
}

/** Kills an uploader at each of the steps, starts it again, and checks. */
export function killAtEachOf(steps: readonly Failpoint[], server?: () => S3Server): void {
  const tally = tallyScenario(`1 crash at every step (${server ? "S3" : "directory"})`);
  const cases = steps.flatMap((name) =>
    HITS.filter((hit) => hit === 1 || !ONCE.includes(name)).map((hit) => [name, hit] as const),
  );
  test.each(cases)("killed %s, hit %i, it goes on where it was", async (name, hit) => {
    const site = await openSite({ server: server?.(), isInProcess: server !== undefined });
    const env = { UPLOADER_FAILPOINT: `${name}:kill:${hit}` };
    let lossyGenerations: readonly number[] = [];
    if (OF_PARTS.includes(name)) await killAtParts(site, env);
    else if (OF_REBUILD.includes(name)) await killAtRebuild(site, env, name);
    else if (OF_SET_ASIDE.includes(name)) lossyGenerations = await killAtSetAside(site, env);
    else if (OF_HOLD.includes(name)) await killAtHold(site, env);
    else if (OF_GENERATION.includes(name)) return tally.add(await killAtGeneration(site, env));
    else await killOnTheWay(site, env);
    appendReadings(site.db, 50);
    const findings = await site.check(undefined, { lossyGenerations });
    expect(findings.rows).toBe(site.db.prepare("SELECT count(*) FROM readings").pluck().get());
    tally.add(findings);
  });
}

/** Two objects from each extraction. */
async function killOnTheWay({ db, setType, run }: Site, env: Record<string, string>): Promise<void> {
  appendReadings(db, 250);
  setType("emergency");
  const killed = await run(["--once", "--max-batch-size", "100"], env);
  expect(killed).toMatchObject({ signal: "SIGKILL" });
}

/** One object in three parts. */
async function killAtParts({ db, run }: Site, env: Record<string, string>): Promise<void> {
  appendLarge(db);
  expect(await run(["--once"], env)).toMatchObject({ signal: "SIGKILL" });
}

/** With objects that were delivered and objects that wait; the uploader ships nothing until the state is whole. */
async function killAtRebuild(
  { db, run, start, place }: Site,
  env: Record<string, string>,
  name: Failpoint,
): Promise<void> {
  appendReadings(db, 100);
  expect(await run(["--once", "--max-batch-size", "30"])).toMatchObject({ code: 0 });
  appendReadings(db, 60);
  const stop = { UPLOADER_FAILPOINT: "before-put:kill" };
  expect(await run(["--once", "--max-batch-size", "30"], stop)).toMatchObject({ signal: "SIGKILL" });
  expect(await run(["state", "rebuild", "--yes"], env)).toMatchObject({ signal: "SIGKILL" });
  if (name === "after-replace") expect(await run(["--once"])).toMatchObject({ code: 0 });
  else {
    // Without a look at the state: where the old one is aside, this run begins an empty one, which has no cursor.
    const before = await place.versions();
    expect(await start(["--once"]).finished).toMatchObject({ code: 1 });
    expect(await place.versions()).toEqual(before);
  }
  expect(await run(["state", "rebuild", "--yes"])).toMatchObject({ code: 0 });
}

/**
 * Sets aside three objects that wait. Whenever it dies, the bytes of each are in the outbox or beside it; a rebuild
 * brings their rows back.
 *
 * @returns the generations that lack them
 */
async function killAtSetAside(site: Site, env: Record<string, string>): Promise<readonly number[]> {
  const { db, folder, run, stateDir } = site;
  // Without a look at the lake, which is none.
  const runBlind = (args: readonly string[], more?: Record<string, string>) =>
    site.start(args, more).finished;
  // A file in its place.
  writeFileSync(join(folder, "lake"), "");
  appendReadings(db, 30);
  expect(await runBlind(["--once", "--max-batch-size", "10"])).toMatchObject({ code: 1 });
  const wanted = outboxDocument(stateDir).waiting.map(({ sha256 }) => sha256);
  expect(wanted).toHaveLength(3);
  const setAside = ["outbox", "set-aside", "--yes"];
  expect(await runBlind(setAside, env)).toMatchObject({ signal: "SIGKILL" });
  const files = [...filesIn(join(stateDir, "outbox")), ...filesIn(join(stateDir, "set-aside"))];
  const kept = new Set(files.map((path) => sha256Of({ path })));
  for (const sha256 of wanted) expect(kept).toContain(sha256);

  if (outboxDocument(stateDir).waiting.length > 0)
    expect(await runBlind(setAside)).toMatchObject({ code: 0 });
  const aside = outboxDocument(stateDir).setAside.map((path) => sha256Of({ path }));
  expect(aside.sort()).toEqual(wanted.sort());
  rmSync(join(folder, "lake"));
  appendReadings(db, 20);
  expect(await run(["--once"])).toMatchObject({ code: 0 });
  expect(readdirSync(join(stateDir, "outbox"))).toEqual([]);
  expect(await run(["state", "rebuild", "--yes"])).toMatchObject({ code: 0 });
  return [1];
}

function filesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
}

async function killAtHold({ db, setType, run }: Site, env: Record<string, string>): Promise<void> {
  appendReadings(db, 100, { timestamp: new Date(Date.now() + 60_000).toISOString() });
  setType("aggregated");
  expect(await run(["--interval", "0.1"], env)).toMatchObject({ signal: "SIGKILL" });
}

/** The table is dropped and made again, with other rows. */
async function killAtGeneration(site: Site, env: Record<string, string>) {
  const { db, run, check } = site;
  appendReadings(db, 100);
  expect(await run(["--once"])).toMatchObject({ code: 0 });
  const before = rowsOf(db, "readings");
  db.exec("DROP TABLE readings");
  createReadings(db);
  appendReadings(db, 60, { sensor_id: "another", timestamp: "2025-01-01T00:00:00.000Z" });
  expect(await run(["--once"], env)).toMatchObject({ signal: "SIGKILL" });
  const incarnations = [
    { sinceGeneration: 1, rows: before },
    { sinceGeneration: 2, rows: rowsOf(db, "readings") },
  ];
  const findings = await check([{ name: "readings", incarnations }]);
  expect(findings.rows).toBe(160);
  return findings;
}
