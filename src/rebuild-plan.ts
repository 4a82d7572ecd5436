import { clipRanges, mergeRanges } from "./core/row-ranges.ts";
import type { RowidSpace } from "./core/rowid-spaces.ts";
import type { RowRange } from "./core/types.ts";
import { completeRun, type Extraction, type FoundObject, groupExtractions } from "./rebuild-extractions.ts";

/** Rows that are delivered: a whole range, or those rows of it that the given objects hold. */
export interface Claim {
  readonly range: RowRange;
  /** null: all rows of the range */
  readonly objects: readonly FoundObject[] | null;
}

/** Extractions of which nothing, or not every part, is in the buckets, and that no later generation made up for. */
export interface MissingExtractions {
  readonly generation: number;
  readonly first: number;
  readonly last: number;
  /** How many parts of how many are there; null: none of an unknown number. */
  readonly parts: { readonly found: number; readonly of: number } | null;
}

/** What the keys say of a source. */
export interface RebuildPlan {
  /** The generation that begins. */
  readonly generation: number;
  readonly rowidSpaces: readonly RowidSpace[];
  /** Every row up to here is delivered; null: the first row is not, or that is not known. */
  readonly cursor: bigint | null;
  /** The extraction that the cursor is the end of, where it is one's. */
  readonly cursorOf: { readonly generation: number; readonly sequence: number } | null;
  /** What is delivered beyond the cursor. */
  readonly claims: readonly Claim[];
  readonly missing: readonly MissingExtractions[];
}

/**
 * Works out from the objects that are there which rows of a source are delivered, generation by generation:
 *
 * - Extractions of which no part is missing, from number 1 on without a gap, have delivered every row up to
 *   the end of the last of them, since the generation began where everything before was delivered.
 * - Beyond them a complete extraction has delivered every row of its range, and one with missing parts the
 *   rows that its other parts hold.
 * - A generation that another rebuild began goes on from there. One that began because the source was
 *   replaced goes on from the last row that the two have in common; what is known of rows beyond is void.
 *
 * @param marker null where there is none that can be read: then only the highest generation is considered,
 *   as nobody knows which of those before it had the same rowids
 */
export function planRebuild(
  objects: readonly FoundObject[],
  marker: { readonly generation: number; readonly rowidSpaces: readonly RowidSpace[] | null } | null,
): RebuildPlan {
  const extractions = groupExtractions(objects);
  const highest = Math.max(0, ...new Set(extractions.map(({ generation }) => generation)));
  const latest = Math.max(highest, marker?.generation ?? 0);
  const isKnown = marker !== null && marker.rowidSpaces !== null && marker.generation >= highest;
  const rowidSpaces =
    isKnown && marker.rowidSpaces ? marker.rowidSpaces : [{ since: Math.max(1, latest), after: null }];

  let known: Known = { cursor: null, cursorOf: null, claims: [], missing: [] };
  const begun = rowidSpaces[0]?.since ?? 1;
  const generations = new Set([
    ...extractions.map(({ generation }) => generation),
    ...rowidSpaces.map(({ since }) => since),
  ]);
  for (const generation of [...generations].sort((a, b) => a - b)) {
    if (generation < begun) continue;
    const space = rowidSpaces.find(({ since }) => since === generation) ?? null;
    if (space) known = through(known, space.after);
    const own = extractions.filter((extraction) => extraction.generation === generation);
    known = withGeneration(known, own, space?.after ?? null);
  }

  const { cursor, cursorOf } = known;
  return {
    generation: latest + 1,
    rowidSpaces,
    cursor,
    cursorOf,
    claims: clipClaims(known.claims, { after: cursor, through: null }),
    missing: known.missing
      .filter(({ before }) => cursor === null || before > cursor)
      .map(({ before: _, ...rest }) => rest),
  };
}

/**
 * The rows that claims are about, as ranges.
 *
 * @param rowsOf the rows that an object holds
 */
export function coveredBy(
  claims: readonly Claim[],
  rowsOf: (object: FoundObject) => readonly RowRange[],
): RowRange[] {
  return mergeRanges(
    claims.flatMap(({ range, objects }) => {
      if (objects === null) return [range];
      const bounds = { after: range.first - 1n, through: range.last };
      return objects.flatMap((object) => clipRanges(rowsOf(object), bounds));
    }),
  );
}

interface Known extends Pick<RebuildPlan, "cursor" | "cursorOf" | "claims"> {
  /** `before` is a rowid that the missing rows lie before, or that is the last of them. */
  readonly missing: readonly (MissingExtractions & { readonly before: bigint })[];
}

/** What stays true when the rows beyond `last` are replaced by others. */
function through({ cursor, cursorOf, claims, missing }: Known, last: bigint | null): Known {
  if (last === null) return { cursor: null, cursorOf: null, claims: [], missing: [] };
  const isBeyond = cursor !== null && cursor > last;
  return {
    cursor: isBeyond ? last : cursor,
    cursorOf: isBeyond ? null : cursorOf,
    claims: clipClaims(claims, { after: null, through: last }),
    missing: missing.filter(({ before }) => before <= last),
  };
}

/** @param after where the generation began, if the source was replaced then */
function withGeneration(known: Known, extractions: readonly Extraction[], after: bigint | null): Known {
  const run = completeRun(extractions);
  const end = run.at(-1);
  const inRun = new Set(run);
  const beyond = extractions.filter((extraction) => !inRun.has(extraction));
  const claims = [...known.claims, ...beyond.map(claimOf)];
  const missing = [...known.missing, ...missingFrom(extractions, run.length + 1)];
  if (end === undefined) return { ...known, claims, missing };
  const { last } = end.range;
  // What had been extracted, not delivered, and was lost before the source was replaced is still to be sent.
  if (after !== null && (known.cursor === null || known.cursor < after))
    return { ...known, claims: [...claims, { range: { first: after + 1n, last }, objects: null }], missing };
  if (known.cursor !== null && known.cursor >= last) return { ...known, claims, missing };
  return { cursor: last, cursorOf: { generation: end.generation, sequence: end.sequence }, claims, missing };
}

function missingFrom(extractions: readonly Extraction[], sequence: number): Known["missing"][number][] {
  const missing: Known["missing"][number][] = [];
  let expected = sequence;
  const sorted = extractions.filter((extraction) => extraction.sequence >= sequence);
  for (const { generation, sequence, range, parts, objects, isComplete } of sorted.sort(
    (a, b) => a.sequence - b.sequence,
  )) {
    if (sequence > expected)
      missing.push({ generation, first: expected, last: sequence - 1, parts: null, before: range.first });
    if (!isComplete)
      missing.push({
        generation,
        first: sequence,
        last: sequence,
        parts: { found: objects.length, of: parts },
        before: range.last,
      });
    expected = sequence + 1;
  }
  return missing;
}

function claimOf({ range, isComplete, objects }: Extraction): Claim {
  return { range, objects: isComplete ? null : objects };
}

function clipClaims(claims: readonly Claim[], bounds: Parameters<typeof clipRanges>[1]): Claim[] {
  return claims.flatMap(({ range, objects }) =>
    clipRanges([range], bounds).map((clipped) => ({ range: clipped, objects })),
  );
}
