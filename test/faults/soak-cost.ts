import { percentile } from "../../bench/statistics.ts";

/** Milliseconds that the writer's commits took in two windows, one after the other in either order. */
export interface Pair {
  readonly alone: readonly number[];
  readonly loaded: readonly number[];
}

export type Interval = readonly [low: number, high: number];

/** What the uploader costs the writer at the 99th percentile of its commits. */
export interface WriterCost {
  /** Milliseconds, over all windows of a kind. */
  readonly aloneMs: number;
  readonly loadedMs: number;
  /** loadedMs / aloneMs */
  readonly ratio: number;
  /** Where nine of ten ratios lie if the pairs are drawn again from those that there are. */
  readonly spread: Interval;
  /** The same between two halves of the windows without the uploader: what the machine alone makes of no difference. */
  readonly noise: Interval;
}

const DRAWS = 200;

/**
 * Compares the percentiles of all commits of a kind, rather than the median of the ratios of the pairs: a window has
 * some 150 commits, so that its p99 is decided by two of them, and what is promised is the p99 of all. That the windows
 * alternate makes other work of the machine meet both kinds; that the draws take whole pairs keeps together what met
 * it together.
 */
export function writerCost(pairs: readonly Pair[], random: () => number): WriterCost {
  const aloneMs = p99(pairs.map(({ alone }) => alone));
  const loadedMs = p99(pairs.map(({ loaded }) => loaded));
  const drawn = () => pairs.map(() => pairs[Math.floor(random() * pairs.length)] as Pair);
  return {
    aloneMs,
    loadedMs,
    ratio: loadedMs / aloneMs,
    spread: nineOfTen(() => {
      const some = drawn();
      return p99(some.map(({ loaded }) => loaded)) / p99(some.map(({ alone }) => alone));
    }),
    noise: nineOfTen(() => {
      const some = shuffled(pairs, random).map(({ alone }) => alone);
      const half = Math.ceil(some.length / 2);
      return some.length < 2 ? 1 : p99(some.slice(half)) / p99(some.slice(0, half));
    }),
  };
}

/** As `percentile` has it; typed arrays are sorted ten times as fast, and there are many draws. */
function p99(windows: readonly (readonly number[])[]): number {
  const sorted = Float64Array.from(windows.flat()).sort();
  return sorted[Math.ceil(0.99 * sorted.length) - 1] ?? Number.NaN;
}

function nineOfTen(draw: () => number): Interval {
  const ratios = Array.from({ length: DRAWS }, draw);
  return [percentile(ratios, 0.05), percentile(ratios, 0.95)];
}

function shuffled<Value>(values: readonly Value[], random: () => number): Value[] {
  return values
    .map((value) => ({ value, place: random() }))
    .sort((a, b) => a.place - b.place)
    .map(({ value }) => value);
}
