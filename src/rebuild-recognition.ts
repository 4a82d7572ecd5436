import type { RowRange, SourceSchema } from "./core/types.ts";
import type { FoundObject } from "./rebuild-extractions.ts";
import type { RebuildPlan } from "./rebuild-plan.ts";
import type { Surveyor } from "./rebuild-survey.ts";
import { rowidsMayRestart } from "./source/continuity.ts";
import { compareKnownRow } from "./source/known-row.ts";
import { hasRowsWithin, largestRowid } from "./source/range.ts";
import { type Compared, columnsToCompare, compareRows } from "./source/same-rows.ts";
import type { Connection } from "./sqlite/open.ts";

/** Whether a source's rows are those that were delivered, and why not, or why that is unknown. */
export type Verdict =
  | { readonly sameness: "same" }
  | { readonly sameness: "other" | "unknown"; readonly reason: string };

/** Holds what was delivered of a source against the rows it has now. */
export interface Recognition {
  /**
   * @param highest the last row that was delivered
   * @param covered rows beyond the plan's cursor that are
   */
  recognize(highest: bigint, covered: readonly RowRange[]): Promise<Verdict>;
  /** The highest row up to the plan's cursor that is shown to be the one that was delivered; null: none is. */
  lastSameRow(): Promise<bigint | null>;
}

export interface RecognitionOptions {
  readonly plan: RebuildPlan;
  readonly objects: readonly FoundObject[];
  readonly surveyor: Surveyor;
}

/** Objects of rows that are there but cannot be compared, before it is left at that. */
const MOST_OBJECTS = 3;

const SMALLEST_ROWID = -(2n ** 63n);

const UNKNOWN: Compared = { sameness: "unknown", rowid: null };

export function createRecognition(
  db: Connection,
  schema: SourceSchema,
  { plan, objects, surveyor }: RecognitionOptions,
): Recognition {
  const comparable = comparableObjects(plan, objects);

  async function compare(object: FoundObject): Promise<Compared> {
    const byTimes = await compareTimes(object);
    if (byTimes.sameness !== "unknown") return byTimes;
    return compareKnownRow(db, schema, (await surveyor.footerOf(object)).get("known_row"));
  }

  async function compareTimes(object: FoundObject): Promise<Compared> {
    const names = columnsToCompare(schema);
    if (names === null || object.name.route.type === "aggregated") return UNKNOWN;
    const columns = await surveyor.columnsOf(object, ["_rowid", names.time]);
    const rowids = columns.get("_rowid")?.toArray() as BigInt64Array | undefined;
    const times = columns.get(names.time);
    return rowids && times ? compareRows(db, schema, { rowids, times }) : UNKNOWN;
  }

  return {
    async recognize(highest, covered) {
      if (rowidsMayRestart(db, schema, highest))
        return {
          sameness: "other",
          reason: `rows up to ${highest} were delivered, and its own may come to have the same rowids`,
        };
      let compared = 0;
      for (const object of [...comparable].reverse()) {
        if (!hasRowsWithin(db, schema, object.name.range)) continue; // retention has deleted them
        const { sameness, rowid } = await compare(object);
        if (sameness === "other")
          return { sameness, reason: `its row ${rowid} is not the one that was delivered` };
        if (sameness === "same") return { sameness };
        if (++compared === MOST_OBJECTS) break;
      }
      const upToCursor = plan.cursor === null ? [] : [{ first: SMALLEST_ROWID, last: plan.cursor }];
      const skipped = [...upToCursor, ...covered].findLast((range) => hasRowsWithin(db, schema, range));
      if (skipped === undefined) return { sameness: "same" };
      const reason = `nothing tells whether its rows up to row ${skipped.last} are those that were delivered`;
      return { sameness: "unknown", reason };
    },
    async lastSameRow() {
      const limit = largestRowid(db, schema);
      const candidates = comparable.filter(
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
      // A table that was made anew may have a time in common with the old one here and there.
      const lowest = candidates.find(({ name: { range } }) => hasRowsWithin(db, schema, range));
      const isMadeAnew = lowest !== undefined && (await compare(lowest)).sameness === "other";
      return isMadeAnew ? null : found;
    },
  };
}

/** Those whose rows have the source's present rowids, in ascending order. */
function comparableObjects({ rowidSpaces }: RebuildPlan, objects: readonly FoundObject[]): FoundObject[] {
  const first = rowidSpaces[0]?.since ?? 1;
  return objects
    .filter(({ name: { generation, range } }) => {
      const later = rowidSpaces.filter(({ since }) => since > generation);
      const isOfToday = later.every(({ after }) => after !== null && range.last <= after);
      return generation >= first && isOfToday;
    })
    .sort((a, b) =>
      a.name.range.last < b.name.range.last ? -1 : a.name.range.last > b.name.range.last ? 1 : 0,
    );
}

function isUpTo(rowid: bigint, limit: bigint | null): boolean {
  return limit !== null && rowid <= limit;
}
