import { afterAll, beforeAll, expect, test } from "vitest";
import { percentile } from "../../bench/statistics.ts";
import { formatBytes, formatCount, formatFields } from "../../src/cli/text-table.ts";
import { createRandom } from "../support/seeded-random.ts";
import { SEED, tallyScenario } from "./campaign.ts";
import { type Interval, type Pair, writerCost } from "./soak-cost.ts";
import {
  type Beside,
  type FaultyServer,
  type PastPhase,
  type Phase,
  runEpisode,
  startFaultyServer,
} from "./soak-episode.ts";

/**
 * Everything at once, for as long as SOAK_MINUTES says: `npm run soak -- --minutes 30`. The time is cut into
 * episodes, since the checker has every row of one in memory, and each episode into windows, with an uploader beside
 * the writer, with nothing, and with a process that takes as much CPU time and does nothing: what that costs the writer
 * is the machine's doing, and would come with any program.
 *
 * A window with an uploader is dearer than a sensor's day: it begins with what came in the windows before, and the
 * uploader is killed and started again every few seconds. The S3 server and, if it may start the writer with a higher
 * one, the soak itself with its proxy have the lowest priority, since they stand for machines elsewhere.
 */
const MINUTES = Number(process.env.SOAK_MINUTES ?? 1);
const LONGEST_EPISODE_MINUTES = 2;
/** Several checkpoints; two windows in a row are without an uploader, which is behind by as much. */
const WINDOW_SECONDS = 15;
/** Until the writer has its rows, and the uploader has caught up. */
const WARM_UP_SECONDS = 15;
/** What the uploader may cost the writer at the p99 of its inserts. */
const RATIO_ALLOWED = 1.1;
/** The figures of a shorter soak are printed, and differ by more than that from run to run. */
const LEAST_MINUTES_FOR_RATIO = 10;

const tally = tallyScenario(`7 load: soak of ${MINUTES} minutes (seed ${SEED})`);
const random = createRandom(SEED);
const total = { rows: 0, objects: 0, kills: 0, changes: 0, deleted: 0, busy: 0, sound: 0 };
const peaks: number[] = [];
const wals: number[] = [];
const cpu = { seconds: 0, of: 0 };
const inserts: Windows[] = [];
/** Of the inserts, what they took but for the wait for a CPU: locks, checkpoints, the disk, their own work. */
const unhindered: Windows[] = [];
const deletes: Windows[] = [];
let remote: FaultyServer;

/** Milliseconds that the writer's commits took in three windows in a row, by what was beside it. */
type Windows = Readonly<Record<Beside, readonly number[]>>;

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
      ["CPU time of the uploader", `${((100 * cpu.seconds) / cpu.of).toFixed(1)} % of one CPU`],
      ["windows of each kind", `${inserts.length} of ${WINDOW_SECONDS} s`],
      ...costFields(),
    ])}\n`,
  );
});

const episodes = Math.ceil(MINUTES / LONGEST_EPISODE_MINUTES);
const eachKind = Math.max(
  1,
  Math.floor(((MINUTES / episodes) * 60 - WARM_UP_SECONDS) / (3 * WINDOW_SECONDS)),
);
test.each(Array.from({ length: episodes }, (_, index) => index + 1))(
  `episode %i of ${episodes}`,
  async () => {
    const windows = Array.from({ length: eachKind }, () => {
      // The uploader in the middle: so it is never away for more than two windows.
      const order: Beside[] = ["nothing", "uploader", "load"];
      return random() < 0.5 ? order : order.reverse();
    });
    const { writer, phases, findings, kills, changes, peakBytes, cpuSeconds, seconds } = await runEpisode(
      remote,
      [
        { beside: "uploader", seconds: WARM_UP_SECONDS },
        ...windows.flat().map((beside): Phase => ({ beside, seconds: WINDOW_SECONDS })),
      ],
      random,
    );
    for (let index = 1; index < phases.length; index += 3) {
      const three = phases.slice(index, index + 3);
      inserts.push(windowsOf(three, (window) => window.inserts.map(([, took]) => took)));
      unhindered.push(windowsOf(three, (window) => window.inserts.map(([, took, waited]) => took - waited)));
      deletes.push(windowsOf(three, (window) => window.deletes.map(([, took]) => took)));
    }
    cpu.seconds += cpuSeconds;
    cpu.of += seconds;
    peaks.push(peakBytes);
    wals.push(writer.largestWalBytes);
    total.deleted += writer.deleted;
    total.busy += writer.busy;
    total.kills += kills;
    total.changes += changes;
    total.sound++;
    tally.add(findings);
    total.objects += findings.objects;
    total.rows += findings.rows;
  },
);

test.skipIf(MINUTES < LEAST_MINUTES_FOR_RATIO)(
  `the uploader costs the writer at most ${Math.round((RATIO_ALLOWED - 1) * 100)} % at the p99 of its inserts`,
  () => {
    expect(inserts.length).toBe(episodes * eachKind);
    const { ratio, noise } = writerCost(compare(inserts, "nothing", "uploader"), random);
    const hint = `the writer alone differs from itself by ${between(noise)}: where that is far, ask a quieter machine, or for longer`;
    expect(ratio, hint).toBeLessThanOrEqual(RATIO_ALLOWED);
  },
);

function windowsOf(phases: readonly PastPhase[], times: (window: PastPhase) => readonly number[]): Windows {
  const of = (beside: Beside) => phases.filter((phase) => phase.beside === beside).flatMap(times);
  return { nothing: of("nothing"), uploader: of("uploader"), load: of("load") };
}

function compare(windows: readonly Windows[], alone: Beside, loaded: Beside): Pair[] {
  return windows.map((window) => ({ alone: window[alone], loaded: window[loaded] }));
}

function costFields(): [string, string][] {
  if (inserts.length === 0) return [];
  const ratioOf = (alone: Beside, loaded: Beside) => {
    const { ratio, spread } = writerCost(compare(inserts, alone, loaded), random);
    return `${ratio.toFixed(2)}, nine of ten draws ${between(spread)}`;
  };
  return [
    ["p99 of an insert", p99s(inserts)],
    ["with the uploader, against alone", `${ratioOf("nothing", "uploader")}; at most ${RATIO_ALLOWED}`],
    ["with mere load, against alone", ratioOf("nothing", "load")],
    ["with the uploader, against mere load", ratioOf("load", "uploader")],
    [
      "the writer alone against itself",
      `nine of ten draws ${between(writerCost(compare(inserts, "nothing", "nothing"), random).noise)}`,
    ],
    ["p99 of an insert, less its wait for a CPU", p99s(unhindered)],
    ["p99 of a delete", p99s(deletes)],
  ];
}

function p99s(windows: readonly Windows[]): string {
  const p99 = (beside: Beside) => {
    const all = windows.flatMap((window) => window[beside]);
    return `${percentile(all, 0.99).toFixed(2)} ms`;
  };
  return `${p99("uploader")} with the uploader, ${p99("load")} with mere load, ${p99("nothing")} alone`;
}

function between([low, high]: Interval): string {
  return `${low.toFixed(2)} to ${high.toFixed(2)}`;
}
