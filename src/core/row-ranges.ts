import type { RowRange } from "./types.ts";

/** The same rowids in as few ranges as can be, in order. */
export function mergeRanges(ranges: readonly RowRange[]): RowRange[] {
  const sorted = [...ranges].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0));
  const merged: { first: bigint; last: bigint }[] = [];
  for (const { first, last } of sorted) {
    const previous = merged.at(-1);
    if (!previous || first > previous.last + 1n) merged.push({ first, last });
    else if (last > previous.last) previous.last = last;
  }
  return merged;
}

/** What the ranges have in common with `bounds`; an end of null is open. */
export function clipRanges(
  ranges: readonly RowRange[],
  { after, through }: { readonly after: bigint | null; readonly through: bigint | null },
): RowRange[] {
  return ranges.flatMap((range) => {
    const first = after !== null && range.first <= after ? after + 1n : range.first;
    const last = through !== null && range.last > through ? through : range.last;
    return first <= last ? [{ first, last }] : [];
  });
}

/** Rowids in ascending order as ranges. */
export function rangesOfRowids(rowids: Iterable<bigint>): RowRange[] {
  const ranges: { first: bigint; last: bigint }[] = [];
  for (const rowid of rowids) {
    const previous = ranges.at(-1);
    if (previous && previous.last + 1n === rowid) previous.last = rowid;
    else ranges.push({ first: rowid, last: rowid });
  }
  return ranges;
}
