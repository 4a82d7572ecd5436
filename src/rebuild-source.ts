import { mergeRanges } from "./core/row-ranges.ts";
import { beginSpace, type RowidSpace } from "./core/rowid-spaces.ts";
import type { RowRange, SourceSchema } from "./core/types.ts";
import type { FoundObject } from "./rebuild-extractions.ts";
import { coveredBy, type RebuildPlan } from "./rebuild-plan.ts";
import type { Surveyor } from "./rebuild-survey.ts";
import { type Position, rowidsMayRestart, shippedPosition } from "./source/continuity.ts";
import { type Footing, noteFooting } from "./source/footing.ts";
import { createNumberingWatch } from "./source/numbering.ts";
import { countRows, countRowsWithin, largestRowid, nextRange } from "./source/range.ts";
import { columnsToCompare, compareRows, type Sameness } from "./source/same-rows.ts";
import type { Connection } from "./sqlite/open.ts";

/** Where a source goes on, once the plan has been held against its rows. */
export interface ResumePoint {
  readonly rowidSpaces: readonly RowidSpace[];
  readonly cursor: bigint | null;
  readonly covered: readonly RowRange[];
  /** By which a source that is replaced from now on is noticed. */
  readonly positions: readonly Position[];
  readonly footing: Footing | null;
  /** Why the source's rows are not those that were delivered; null: they are, as far as can be told. */
  readonly replaced: string | null;
  /** Rows of the source beyond the cursor that are not sent again. */
  readonly rowsLeftOut: number;
  /** Rows of the source that are to be sent. */
  readonly rowsToSend: number;
}

/** Objects without a row that can be compared, before it is left at that. */
const MOST_OBJECTS = 3;

/**
 * Holds a plan against the source, which may have been replaced since the rows were delivered: by the times
 * of the highest rows, and by the rowids that SQLite may give again. If it was, it is sent again from the last
 * row that can be shown to be the one that was delivered. Where there is nothing to compare, all objects being
 * aggregated or the table without times, it is taken for the one that was delivered (docs/GUARANTEES.md). A table that VACUUM may have renumbered is sent again from its first row, since rows that were
 * moved may have the same time.
 */
export async function findResumePoint(
  db: Connection,
  schema: SourceSchema,
  plan: RebuildPlan,
  { objects, surveyor }: { readonly objects: readonly FoundObject[]; readonly surveyor: Surveyor },
): Promise<ResumePoint> {
  const numbering = createNumberingWatch(db);
  const covered = await readCovered(plan, surveyor);
  const highest = covered.at(-1)?.last ?? plan.cursor;
  const renumbered = highest === null ? null : await findRenumbering(highest);
  const replaced = renumbered ?? (highest === null ? null : await findReplacement());
  if (replaced === null) return describe(plan.rowidSpaces, plan.cursor, covered);
  const cursor = renumbered === null ? await lastSameRow() : null;
  return describe(beginSpace(plan.rowidSpaces, { since: plan.generation, after: cursor }), cursor, []);

  /** Whether the schema has been changed, as VACUUM does too, since the last object was begun. */
  async function findRenumbering(highest: bigint): Promise<string | null> {
    const now = numbering.note(schema, highest);
    const last = objects.reduce((last, object) => (isLater(object, last) ? object : last));
    const footer = now && (await surveyor.footerOf(last));
    if (footer === null || footer.get("schema_version") === String(now?.schemaVersion)) return null;
    return "VACUUM may have given its rows other rowids since, as it declares no INTEGER PRIMARY KEY";
  }

  async function findReplacement(): Promise<string | null> {
    if (rowidsMayRestart(db, schema, highest as bigint))
      return `rows up to ${highest} were delivered, and its own may come to have the same rowids`;
    const fromTheHighest = comparableObjects(plan, objects).reverse();
    for (const object of fromTheHighest.slice(0, MOST_OBJECTS)) {
      const { sameness, rowid } = await compare(object);
      if (sameness === "other") return `its row ${rowid} is not the one that was delivered`;
      if (sameness === "same") return null;
    }
    return null;
  }

  /** The highest row up to the plan's cursor that is shown to be the one that was delivered. */
  async function lastSameRow(): Promise<bigint | null> {
    const limit = largestRowid(db, schema);
    const candidates = comparableObjects(plan, objects).filter(
      ({ name: { range } }) => isUpTo(range.last, plan.cursor) && isUpTo(range.last, limit),
    );
    let found: bigint | null = null;
    let low = 0;
    for (let high = candidates.length; low < high; ) {
      const middle = Math.floor((low + high) / 2);
      const { sameness, rowid } = await compare(candidates[middle] as FoundObject);
      if (sameness === "same") found = rowid;
      // Rows that cannot be compared are old ones, which retention has deleted.
      if (sameness === "other") high = middle;
      else low = middle + 1;
    }
    return found;
  }

  async function compare(
    object: FoundObject,
  ): Promise<{ readonly sameness: Sameness; readonly rowid: bigint | null }> {
    const names = columnsToCompare(schema);
    if (names === null) return { sameness: "unknown", rowid: null };
    const columns = await surveyor.columnsOf(object, ["_rowid", names.time]);
    const rowids = columns.get("_rowid")?.toArray() as BigInt64Array | undefined;
    const times = columns.get(names.time);
    return rowids && times
      ? compareRows(db, schema, { rowids, times })
      : { sameness: "unknown", rowid: null };
  }

  function describe(
    rowidSpaces: readonly RowidSpace[],
    cursor: bigint | null,
    covered: readonly RowRange[],
  ): ResumePoint {
    return db.transaction(() => {
      const joined = joinOverAbsentRows(db, schema, covered);
      const shipped = [cursor, joined.at(-1)?.last ?? null].filter((rowid) => rowid !== null);
      const last = shipped.at(-1) ?? null;
      const rowsLeftOut = joined.reduce((sum, range) => sum + countRowsWithin(db, schema, range), 0);
      return {
        rowidSpaces,
        cursor,
        covered: joined,
        positions: shipped.map((rowid) => shippedPosition(db, schema, rowid)),
        footing: last === null ? null : noteFooting(db, schema, last, numbering),
        replaced,
        rowsLeftOut,
        rowsToSend: countRows(db, schema, cursor) - rowsLeftOut,
      };
    })();
  }
}

function isLater({ name: a }: FoundObject, { name: b }: FoundObject): boolean {
  return a.generation === b.generation ? a.sequence > b.sequence : a.generation > b.generation;
}

async function readCovered({ claims }: RebuildPlan, surveyor: Surveyor): Promise<RowRange[]> {
  const rows = new Map<FoundObject, readonly RowRange[]>();
  for (const object of claims.flatMap(({ objects }) => objects ?? []))
    rows.set(object, await surveyor.rowsOf(object));
  return coveredBy(claims, (object) => rows.get(object) ?? []);
}

/** Those whose rows have the source's present rowids, in ascending order; aggregated ones hold no rows. */
function comparableObjects({ rowidSpaces }: RebuildPlan, objects: readonly FoundObject[]): FoundObject[] {
  const first = rowidSpaces[0]?.since ?? 1;
  return objects
    .filter(({ name: { route, generation, range } }) => {
      const later = rowidSpaces.filter(({ since }) => since > generation);
      const isOfToday = later.every(({ after }) => after !== null && range.last <= after);
      return route.type !== "aggregated" && generation >= first && isOfToday;
    })
    .sort((a, b) =>
      a.name.range.last < b.name.range.last ? -1 : a.name.range.last > b.name.range.last ? 1 : 0,
    );
}

/** One range where the source has no row between two, so that no read stops there. */
function joinOverAbsentRows(db: Connection, schema: SourceSchema, ranges: readonly RowRange[]): RowRange[] {
  const joined: RowRange[] = [];
  for (const range of mergeRanges(ranges)) {
    const previous = joined.at(-1);
    const hasRowsBetween = previous && nextRange(db, schema, previous.last, 1, range.first) !== null;
    if (previous && !hasRowsBetween) joined.splice(-1, 1, { first: previous.first, last: range.last });
    else joined.push(range);
  }
  return joined;
}

function isUpTo(rowid: bigint, limit: bigint | null): boolean {
  return limit !== null && rowid <= limit;
}
