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
 * uploader is killed and started again every few seconds. The S3 server and the proxy, which stand for machines
 * elsewhere, take their CPU time from the same cores. What is measured is therefore the most that it costs.
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
      inserts.push(pairOf(both, "inserts"));
      deletes.push(pairOf(both, "deletes"));
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
  expect(writerCost(inserts, random).ratio).toBeLessThanOrEqual(RATIO_ALLOWED);
});

function pairOf(windows: readonly PastPhase[], kind: "inserts" | "deletes"): Pair {
  const took = (hasUploader: boolean) =>
    windows
      .filter((window) => window.hasUploader === hasUploader)
      .flatMap((window) => window[kind].map(([, ms]) => ms));
  return { alone: took(false), loaded: took(true) };
}

function costFields(): [string, string][] {
  if (inserts.length === 0) return [];
  const { aloneMs, loadedMs, ratio, spread, noise } = writerCost(inserts, random);
  const deleteMs = (kind: keyof Pair) =>
    inMs(
      percentile(
        deletes.flatMap((pair) => pair[kind]),
        0.99,
      ),
    );
  return [
    ["p99 of an insert without the uploader", inMs(aloneMs)],
    ["p99 of an insert with the uploader", inMs(loadedMs)],
    [
      "ratio of the two",
      `${ratio.toFixed(2)}, at most ${RATIO_ALLOWED}; nine of ten draws ${between(spread)}`,
    ],
    ["the writer alone against itself", `nine of ten draws ${between(noise)}`],
    ["p99 of a delete without the uploader", deleteMs("alone")],
    ["p99 of a delete with the uploader", deleteMs("loaded")],
  ];
}

function inMs(milliseconds: number): string {
  return `${milliseconds.toFixed(2)} ms`;
}

function between([low, high]: Interval): string {
  return `${low.toFixed(2)} to ${high.toFixed(2)}`;
}
