import { expect, test } from "vitest";
import type { Failpoint } from "../../src/core/failpoints.ts";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { rowsOf } from "../support/invariants.ts";
import { appendReadings } from "../support/readings.ts";
import { type S3Server, suiteFor } from "../support/s3-servers.ts";
import { createRandom } from "../support/seeded-random.ts";
import { readSourceState } from "../support/state-reader.ts";
import { until } from "../support/until.ts";
import type { Running } from "../support/uploader-process.ts";
import { IS_FULL, NODE, openSite, SEED, tallyScenario } from "./campaign.ts";
import { ONCE, ONLY_S3, stepsOnTheWay } from "./kill-at-steps.ts";
import { appendLarge } from "./large-rows.ts";

const KILLS = IS_FULL ? 200 : 25;
/** Each takes longer, and every fifth leaves rows of 17 MB behind. */
const KILLS_ON_S3 = IS_FULL ? 60 : 10;

const tally = tallyScenario(`1 random kills (seed ${SEED})`);
process.stdout.write(`random-kills.test.ts: TEST_SEED=${SEED}\n`);

test(
  `${KILLS} kills at random steps, with changes of type and retention between them: TEST_SEED=${SEED}`,
  () => killAtRandom(KILLS),
  600_000,
);

suiteFor("versitygw", "random kills", (server) => {
  test(
    `${KILLS_ON_S3} kills at random steps, of large objects too: TEST_SEED=${SEED}`,
    () => killAtRandom(KILLS_ON_S3, server()),
    900_000,
  );
});

/** @param server left out: a folder, to which no object is sent in parts */
async function killAtRandom(kills: number, server?: S3Server): Promise<void> {
  const random = createRandom(SEED);
  const below = (limit: number) => Math.floor(random() * limit);
  const site = await openSite({ server });
  const { db } = site;
  const known = new Map<bigint, string[][]>();
  const steps = stepsOnTheWay(server);
  /** Those that are still to come, by chance; each comes before any comes again. */
  let toCome: Failpoint[] = [];
  const takeStep = () => {
    if (toCome.length === 0) toCome = [...steps];
    return toCome.splice(below(toCome.length), 1)[0] as Failpoint;
  };
  const tried = new Set<Failpoint>();
  const killedAt = new Set<Failpoint>();

  for (let kill = 0; kill < kills; kill++) {
    const isAtStep = below(4) > 0;
    const isInParts = server !== undefined && kill % 5 === 4;
    // Whatever waits and all the large rows go into one object.
    const rows = isInParts ? 1_000 : 20 + below(80);
    const flags = ["--max-batch-size", String(rows), "--interval", "0.1"];
    appendReadings(db, 20 + below(200), below(5) === 0 ? { timestamp: new Date().toISOString() } : {});
    if (isInParts) appendLarge(db);
    for (const [rowid, versions] of rowsOf(db, "readings")) known.set(rowid, versions);
    if (below(3) === 0) site.setType(PIPELINE_TYPES[below(PIPELINE_TYPES.length)] ?? "raw");
    // A sensor marks what it likes, and deletes what is old, behind the cursor.
    db.prepare("UPDATE readings SET synced = synced + 1 WHERE id % 7 = ?").run(below(7));
    const shipped = readSourceState(site.stateDir, NODE, "readings")?.cursor ?? null;
    if (shipped !== null && below(3) === 0)
      db.prepare("DELETE FROM readings WHERE id < ?").run(shipped - BigInt(below(100)));

    // Steps are counted, so that the seed gives the same kill again; the others come as time has it.
    const step = isInParts ? (ONLY_S3[below(ONLY_S3.length)] as Failpoint) : takeStep();
    const hit = ONCE.includes(step) ? 1 : 1 + below(3);
    const env = { LOG_LEVEL: "debug", ...(isAtStep ? { UPLOADER_FAILPOINT: `${step}:kill:${hit}` } : {}) };
    const lines = 1 + below(20);
    const uploader = site.start(flags, env);
    await Promise.race([
      uploader.finished,
      isIdle(uploader),
      ...(isAtStep ? [] : [hasLogged(uploader, lines)]),
    ]);
    if (isAtStep) tried.add(step);
    if (isAtStep && isDead(uploader)) killedAt.add(step);
    uploader.process.kill("SIGKILL");
    expect(await uploader.finished, `kill ${kill}`).toMatchObject({ signal: "SIGKILL", stderr: "" });
    await site.observer.look();
  }
  // Some are not come to, such as the third object where there are two.
  expect(killedAt.size, [...killedAt].join()).toBeGreaterThanOrEqual(tried.size / 3);
  expect(tried.size).toBeGreaterThanOrEqual(Math.min(steps.length, kills / 4));
  const incarnations = [{ sinceGeneration: 1, rows: known }];
  const findings = await site.check([{ name: "readings", incarnations }]);
  expect(findings.rows).toBe(known.size);
  for (let kill = 0; kill < kills; kill++)
    tally.add(kill === 0 ? findings : { ...findings, rows: 0, objects: 0 });
}

function hasLogged(uploader: Running, lines: number): Promise<unknown> {
  return until(
    `${lines} lines are logged`,
    () => isDead(uploader) || uploader.output().split("\n").length > lines,
  );
}

/** Nothing is left to do, so that the step will not be come to. */
function isIdle(uploader: Running): Promise<unknown> {
  const count = (pattern: RegExp) => uploader.output().match(pattern)?.length ?? 0;
  return until("all is delivered", () => {
    const isDelivered = count(/"msg":"(delivered|was delivered already)"/g) >= count(/"msg":"extracted"/g);
    return isDead(uploader) || (isDelivered && count(/"msg":"nothing new"/g) >= 3);
  });
}

function isDead({ process: child }: Running): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
