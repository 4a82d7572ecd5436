import type { Verdict } from "./case.ts";
import type { Contestant } from "./contestants.ts";
import type { Medians, Result } from "./race.ts";

/** How many times as fast as a peer the first entry must be, by wall. */
export function faster(medians: Medians, peer: Contestant, limit: number): Verdict {
  const measured = resultOf(medians, peer).wallSeconds / first(medians).wallSeconds;
  return { what: `as fast as ${peer.name}`, measured, unit: "×", bound: "at least", limit };
}

/** How many times the wall of a peer the first entry may take. */
export function slower(medians: Medians, peer: Contestant, limit: number): Verdict {
  const measured = first(medians).wallSeconds / resultOf(medians, peer).wallSeconds;
  return { what: `the wall time of ${peer.name}`, measured, unit: "×", bound: "at most", limit };
}

/** How many times the bytes of a peer the first entry may write. */
export function bytesAgainst(medians: Medians, peer: Contestant, limit: number): Verdict {
  const measured = first(medians).writtenBytes / resultOf(medians, peer).writtenBytes;
  return { what: `the bytes of ${peer.name}`, measured, unit: "×", bound: "at most", limit };
}

/** @param limit MB, decimal */
export function peakAtMost(result: Result, limit: number): Verdict {
  const measured = result.peakBytes / 1e6;
  const what = `peak memory, ${result.entry.table.label}`;
  return { what, measured, unit: "MB", bound: "at most", limit };
}

/**
 * Of the same contestant on three tables of growing size: the wall time per row, without what it takes to start with
 * nothing to do; the wall time of each row that a table has more than the one before it, which leaves out all that is
 * done once, such as the start of threads; and the peak memory of the largest against the middle one.
 */
export function flat(sizes: Medians, startSeconds: number): Verdict[] {
  const perRow = sizes.map(({ wallSeconds, rows }) => (wallSeconds - startSeconds) / rows);
  const [smallest, middle, largest] = sizes as [Result, Result, Result];
  const perFurtherRow = [furtherRow(smallest, middle), furtherRow(middle, largest)];
  const [few, more, most] = sizes.map(({ rows }) => rows.toLocaleString("en-US"));
  const atMost = { unit: "×", bound: "at most", limit: 1.1 } as const;
  return [
    {
      what: `the largest time per row of those at ${few}, ${more}, ${most} rows against the least, without the start`,
      measured: largestToLeast(perRow),
      ...atMost,
    },
    {
      what: `the same of a further row, from ${few} to ${more} and from there to ${most}`,
      measured: largestToLeast(perFurtherRow),
      ...atMost,
    },
    {
      what: `peak memory at ${most} rows against ${more}`,
      measured: largest.peakBytes / middle.peakBytes,
      ...atMost,
    },
  ];
}

/** Seconds. */
function furtherRow(smaller: Result, larger: Result): number {
  return (larger.wallSeconds - smaller.wallSeconds) / (larger.rows - smaller.rows);
}

function largestToLeast(values: readonly number[]): number {
  return Math.max(...values) / Math.min(...values);
}

export function resultOf(medians: Medians, contestant: Contestant): Result {
  const result = medians.find(({ entry }) => entry.contestant === contestant);
  if (!result) throw new Error(`${contestant.name} did not run`);
  return result;
}

function first(medians: Medians): Result {
  return medians[0] as Result;
}
