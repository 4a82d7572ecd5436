import { afterAll, beforeAll, expect, test } from "vitest";
import { percentile } from "../../bench/statistics.ts";
import { formatBytes, formatCount, formatFields } from "../../src/cli/text-table.ts";
import { createRandom } from "../support/seeded-random.ts";
import { SEED } from "./campaign.ts";
import { type Interval, type Pair, writerCost } from "./soak-cost.ts";
import {
  type FaultyServer,
  type PastPhase,
  type Phase,
  runEpisode,
  startFaultyServer,
} from "./soak-episode.ts";

/**
 * Everything at once, for as long as SOAK_MINUTES says: `npm run soak -- --minutes 30`. The time is cut into
 * episodes, since the checker has every row of one in memory, and each episode into windows, with an uploader beside
 * the writer and without one by turns.
 *
 * A window with an uploader is dearer than a sensor's day: it begins with what came in the window before, and the
 * uploader is killed and started again every few seconds. The proxy, and as far as its priority lets it the S3 server,
 * which stand for machines elsewhere, take their CPU time from the same cores. What is measured is therefore the most
 * that it costs.
 */
const MINUTES = Number(process.env.SOAK_MINUTES ?? 1);
const LONGEST_EPISODE_MINUTES = 2;
/** Several checkpoints; two windows in a row may be without an uploader, which is behind by as much. */
const WINDOW_SECONDS = 15;
/** Until the writer has its rows, and the uploader has caught up. */
const WARM_UP_SECONDS = 15;
/** What the uploader may cost the writer at the p99 of its inserts. */
const RATIO_ALLOWED = 1.1;

const random = createRandom(SEED);
const total = { rows: 0, objects: 0, kills: 0, changes: 0, deleted: 0, busy: 0, sound: 0 };
const peaks: number[] = [];
const wals: number[] = [];
const inserts: Pair[] = [];
/** Of the inserts, what they took but for the wait for a CPU: locks, checkpoints, the disk, their own work. */
const unhindered: Pair[] = [];
const deletes: Pair[] = [];
let remote: FaultyServer;

beforeAll(async () => {
  remote = await startFaultyServer(random);
});

afterAll(async () => {
  await remote?.stop();
  process.stdout.write(
    `\n${formatFields([
      ["seed", String(SEED)],
      ["rows written and checked", formatCount(total.rows)],
      ["rows deleted by retention", formatCount(total.deleted)],
      ["objects", formatCount(total.objects)],
      ["faults of the network", formatCount(remote?.faults ?? 0)],
      ["kills", formatCount(total.kills)],
      ["changes of the pipeline type", formatCount(total.changes)],
      ["episodes without a violation", `${total.sound} of ${episodes}`],
      ["peak memory of the uploader", formatBytes(Math.max(0, ...peaks))],
      ["largest write-ahead log", formatBytes(Math.max(0, ...wals))],
      ["commits that met SQLITE_BUSY", formatCount(total.busy)],
      ["windows with and without the uploader", `${inserts.length} of ${WINDOW_SECONDS} s each`],
      ...costFields(),
    ])}\n`,
  );
});

const episodes = Math.ceil(MINUTES / LONGEST_EPISODE_MINUTES);
const pairsEach = Math.max(
  1,
  Math.floor(((MINUTES / episodes) * 60 - WARM_UP_SECONDS) / (2 * WINDOW_SECONDS)),
);
test.each(Array.from({ length: episodes }, (_, index) => index + 1))(
  `episode %i of ${episodes}`,
  async () => {
    const windows = Array.from({ length: pairsEach }, (): Phase[] => {
      const isLoadedFirst = random() < 0.5;
      return [isLoadedFirst, !isLoadedFirst].map((hasUploader) => ({ hasUploader, seconds: WINDOW_SECONDS }));
    });
    const warmUp = { hasUploader: true, seconds: WARM_UP_SECONDS };
    const { writer, phases, findings, kills, changes, peakBytes } = await runEpisode(
      remote,
      [warmUp, ...windows.flat()],
      random,
    );
    for (let index = 1; index < phases.length; index += 2) {
      const both = phases.slice(index, index + 2);
      inserts.push(pairOf(both, (window) => window.inserts.map(([, took]) => took)));
      unhindered.push(pairOf(both, (window) => window.inserts.map(([, took, waited]) => took - waited)));
      deletes.push(pairOf(both, (window) => window.deletes.map(([, took]) => took)));
    }
    peaks.push(peakBytes);
    wals.push(writer.largestWalBytes);
    total.deleted += writer.deleted;
    total.busy += writer.busy;
    total.kills += kills;
    total.changes += changes;
    total.sound++;
    total.objects += findings.objects;
    total.rows += findings.rows;
  },
);

test(`the uploader costs the writer at most ${Math.round((RATIO_ALLOWED - 1) * 100)} % at the p99 of its inserts`, () => {
  expect(inserts.length).toBe(episodes * pairsEach);
  const { ratio, noise } = writerCost(inserts, random);
  const hint = `the writer alone differs from itself by ${between(noise)}: where that is far, ask a quieter machine, or for longer`;
  expect(ratio, hint).toBeLessThanOrEqual(RATIO_ALLOWED);
});

function pairOf(windows: readonly PastPhase[], times: (window: PastPhase) => readonly number[]): Pair {
  const of = (hasUploader: boolean) =>
    windows.filter((window) => window.hasUploader === hasUploader).flatMap(times);
  return { alone: of(false), loaded: of(true) };
}

function costFields(): [string, string][] {
  if (inserts.length === 0) return [];
  const { aloneMs, loadedMs, ratio, spread, noise } = writerCost(inserts, random);
  const p99 = (pairs: readonly Pair[], kind: keyof Pair) =>
    inMs(
      percentile(
        pairs.flatMap((pair) => pair[kind]),
        0.99,
      ),
    );
  const both = (pairs: readonly Pair[]) =>
    `${p99(pairs, "loaded")} with the uploader, ${p99(pairs, "alone")} without it`;
  return [
    ["p99 of an insert without the uploader", inMs(aloneMs)],
    ["p99 of an insert with the uploader", inMs(loadedMs)],
    [
      "ratio of the two",
      `${ratio.toFixed(2)}, at most ${RATIO_ALLOWED}; nine of ten draws ${between(spread)}`,
    ],
    ["the writer alone against itself", `nine of ten draws ${between(noise)}`],
    ["p99 of an insert, less its wait for a CPU", both(unhindered)],
    ["p99 of a delete", both(deletes)],
  ];
}

function inMs(milliseconds: number): string {
  return `${milliseconds.toFixed(2)} ms`;
}

function between([low, high]: Interval): string {
  return `${low.toFixed(2)} to ${high.toFixed(2)}`;
}
