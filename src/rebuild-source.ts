import { mergeRanges } from "./core/row-ranges.ts";
import { beginSpace, type RowidSpace } from "./core/rowid-spaces.ts";
import type { RowRange, SourceSchema } from "./core/types.ts";
import type { FoundObject } from "./rebuild-extractions.ts";
import { coveredBy, type RebuildPlan } from "./rebuild-plan.ts";
import { createRecognition, type Verdict } from "./rebuild-recognition.ts";
import type { Surveyor } from "./rebuild-survey.ts";
import { type Position, shippedPosition } from "./source/continuity.ts";
import { type Footing, noteFooting } from "./source/footing.ts";
import { createNumberingWatch } from "./source/numbering.ts";
import { countRows, countRowsWithin, nextRange } from "./source/range.ts";
import type { Connection } from "./sqlite/open.ts";

/** Where a source goes on, once the plan has been held against its rows. */
export interface ResumePoint {
  readonly rowidSpaces: readonly RowidSpace[];
  readonly cursor: bigint | null;
  readonly covered: readonly RowRange[];
  /** By which a source that is replaced from now on is noticed. */
  readonly positions: readonly Position[];
  readonly footing: Footing | null;
  /** Why the source's rows are not those that were delivered; null: they are, or nothing tells. */
  readonly replaced: string | null;
  /** Why nothing tells whether they are; null: that is known. */
  readonly unproven: string | null;
  /** Rows of the source beyond the cursor that are not sent again. */
  readonly rowsLeftOut: number;
  /** Rows of the source that are to be sent. */
  readonly rowsToSend: number;
}

/**
 * What becomes of rows up to the highest one delivered, where nothing tells whether they are those that were: they are
 * sent, and come twice if they are; or they are skipped, and are lost if they are not.
 */
export type UnprovenRows = "send" | "skip";

export interface ResumeOptions {
  readonly objects: readonly FoundObject[];
  readonly surveyor: Surveyor;
  readonly unproven: UnprovenRows;
}

/**
 * Holds a plan against the source, which may have been replaced since the rows were delivered: by the times
 * or keys of the highest rows, and by the rowids that SQLite may give again. If it was, it is sent again from the
 * last row that can be shown to be the one that was delivered. So it is where it has rows to compare and nothing to
 * compare them by, unless `unproven` says to skip them. A table that VACUUM may have renumbered is sent again from its
 * first row, since rows that were moved may have the same time.
 */
export async function findResumePoint(
  db: Connection,
  schema: SourceSchema,
  plan: RebuildPlan,
  { objects, surveyor, unproven }: ResumeOptions,
): Promise<ResumePoint> {
  const numbering = createNumberingWatch(db);
  const covered = await readCovered(plan, surveyor);
  const highest = covered.at(-1)?.last ?? plan.cursor;
  const renumbered = highest === null ? null : await findRenumbering(highest);
  const recognition = createRecognition(db, schema, { plan, objects, surveyor });
  const verdict = await recognize();
  if (verdict.sameness === "same" || (verdict.sameness === "unknown" && unproven === "skip"))
    return describe(plan.rowidSpaces, plan.cursor, covered);
  const cursor = renumbered === null ? await recognition.lastSameRow() : null;
  return describe(beginSpace(plan.rowidSpaces, { since: plan.generation, after: cursor }), cursor, []);

  async function recognize(): Promise<Verdict> {
    if (highest === null) return { sameness: "same" };
    if (renumbered !== null) return { sameness: "other", reason: renumbered };
    return recognition.recognize(highest, covered);
  }

  /** Whether the schema has been changed, as VACUUM does too, since the last object was begun. */
  async function findRenumbering(highest: bigint): Promise<string | null> {
    const now = numbering.note(schema, highest);
    const last = objects.reduce((last, object) => (isLater(object, last) ? object : last));
    const footer = now && (await surveyor.footerOf(last));
    if (footer === null || footer.get("schema_version") === String(now?.schemaVersion)) return null;
    return "VACUUM may have given its rows other rowids since, as it declares no INTEGER PRIMARY KEY";
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
        replaced: verdict.sameness === "other" ? verdict.reason : null,
        unproven: verdict.sameness === "unknown" ? verdict.reason : null,
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
