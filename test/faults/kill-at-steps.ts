import { expect, test } from "vitest";
import type { Failpoint } from "../../src/core/failpoints.ts";
import { rowsOf } from "../support/invariants.ts";
import { appendReadings, createReadings } from "../support/readings.ts";
import type { S3Server } from "../support/s3-servers.ts";
import { IS_FULL, openSite, type Site, tallyScenario } from "./campaign.ts";

/** Hits at which a step is tried: the first, and, at full length, later ones. */
const HITS = IS_FULL ? [1, 2, 3] : [1];

export const ONLY_DIRECTORY: readonly Failpoint[] = ["before-rename-of-marker", "before-link", "after-link"];
export const ONLY_S3: readonly Failpoint[] = ["before-confirm"];

/** Steps that need a history to be come to. */
const OF_HOLD: readonly Failpoint[] = ["before-hold", "after-hold"];
const OF_GENERATION: readonly Failpoint[] = ["before-generation", "after-generation"];
/** Steps that a run comes to once, so that there is no second hit. */
const ONCE: readonly Failpoint[] = [
  ...OF_HOLD,
  ...OF_GENERATION,
  ...["before-intent", "after-intent", "before-rename-of-marker", "after-marker"],
  ...["before-record", "after-record", "after-mark-recorded"],
] as readonly Failpoint[];

/** Kills an uploader at each of the steps, starts it again, and checks. */
export function killAtEachOf(steps: readonly Failpoint[], server?: () => S3Server): void {
  const tally = tallyScenario(`1 crash at every step (${server ? "S3" : "directory"})`);
  const cases = steps.flatMap((name) =>
    HITS.filter((hit) => hit === 1 || !ONCE.includes(name)).map((hit) => [name, hit] as const),
  );
  test.each(cases)("killed %s, hit %i, it goes on where it was", async (name, hit) => {
    const site = await openSite({ server: server?.() });
    const env = { UPLOADER_FAILPOINT: `${name}:kill:${hit}` };
    if (OF_HOLD.includes(name)) await killAtHold(site, env);
    else if (OF_GENERATION.includes(name)) return tally.add(await killAtGeneration(site, env));
    else await killOnTheWay(site, env);
    appendReadings(site.db, 50);
    const findings = await site.check();
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
  expect(findings.rows).toBe(60);
  return findings;
}
