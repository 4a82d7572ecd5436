import { expect, test } from "vitest";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { readSourceState, rowsOf } from "../support/invariants.ts";
import { appendReadings } from "../support/readings.ts";
import { createRandom } from "../support/seeded-random.ts";
import { until } from "../support/until.ts";
import type { Running } from "../support/uploader-process.ts";
import { IS_FULL, NODE, openSite, SEED, tallyScenario } from "./campaign.ts";

const KILLS = IS_FULL ? 200 : 25;
const tally = tallyScenario(`1 random kills (seed ${SEED})`);

test(`${KILLS} kills at random steps, with changes of type and retention between them: TEST_SEED=${SEED}`, async () => {
  process.stdout.write(`random-kills.test.ts: TEST_SEED=${SEED}\n`);
  const random = createRandom(SEED);
  const below = (limit: number) => Math.floor(random() * limit);
  const site = await openSite();
  const { db } = site;
  const known = new Map<bigint, string[][]>();

  for (let kill = 0; kill < KILLS; kill++) {
    const isAtStep = below(4) > 0;
    const flags = ["--max-batch-size", String(20 + below(80)), "--interval", "0.1"];
    appendReadings(db, 20 + below(200), below(5) === 0 ? { timestamp: new Date().toISOString() } : {});
    for (const [rowid, versions] of rowsOf(db, "readings")) known.set(rowid, versions);
    if (below(3) === 0) site.setType(PIPELINE_TYPES[below(PIPELINE_TYPES.length)] ?? "raw");
    // A sensor marks what it likes, and deletes what is old, behind the cursor.
    db.prepare("UPDATE readings SET synced = synced + 1 WHERE id % 7 = ?").run(below(7));
    const shipped = readSourceState(site.stateDir, NODE, "readings")?.cursor ?? null;
    if (shipped !== null && below(3) === 0)
      db.prepare("DELETE FROM readings WHERE id < ?").run(shipped - BigInt(below(100)));

    // Steps are counted, so that the seed gives the same kill again; the others come as time has it.
    const hit = 1 + below(60);
    const env = { LOG_LEVEL: "debug", ...(isAtStep ? { UPLOADER_FAILPOINT: `*:kill:${hit}` } : {}) };
    const lines = 1 + below(20);
    const uploader = site.start(flags, env);
    await Promise.race([
      uploader.finished,
      isIdle(uploader),
      ...(isAtStep ? [] : [hasLogged(uploader, lines)]),
    ]);
    uploader.process.kill("SIGKILL");
    expect(await uploader.finished, `kill ${kill}`).toMatchObject({ signal: "SIGKILL", stderr: "" });
    await site.observer.look();
  }
  const incarnations = [{ sinceGeneration: 1, rows: known }];
  const findings = await site.check([{ name: "readings", incarnations }]);
  expect(findings.rows).toBe(known.size);
  for (let kill = 0; kill < KILLS; kill++)
    tally.add(kill === 0 ? findings : { ...findings, rows: 0, objects: 0 });
}, 600_000);

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
