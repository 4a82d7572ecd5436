import type { SourceSchema } from "../core/types.ts";
import type { Connection } from "../sqlite/open.ts";
import { type Position, positionsBefore, type Remembered, shippedPosition } from "./continuity.ts";
import type { Numbering, NumberingWatch } from "./numbering.ts";
import { noteRecentRows, type RecentRows } from "./recent-rows.ts";

/** Rows whose digests are kept; it takes less than a millisecond. */
const TRAIL_ROWS = 64;

/** What is remembered of the rows up to the cursor, besides the positions, until the cursor moves on. */
export interface Footing {
  /** The cursor's; null where an earlier version has written it. */
  readonly cursor: Position | null;
  readonly recent: RecentRows | null;
  /** The rows right before the cursor, the highest first; none with AUTOINCREMENT, which gives no rowid out again. */
  readonly trail: readonly Position[];
  readonly numbering: Numbering | null;
}

export function noteFooting(
  db: Connection,
  schema: SourceSchema,
  lastRowid: bigint,
  numbering: NumberingWatch,
): Footing {
  return {
    cursor: shippedPosition(db, schema, lastRowid),
    recent: noteRecentRows(db, schema, lastRowid),
    trail: schema.autoincrement ? [] : positionsBefore(db, schema, lastRowid, TRAIL_ROWS),
    numbering: numbering.note(schema, lastRowid),
  };
}

/** All that `checkContinuity` goes by. A generation that begins may begin behind a row that is no position yet. */
export function rememberedOf(positions: readonly Position[], footing: Footing | null): Remembered {
  const cursor = footing?.cursor ?? null;
  const isMissing = cursor && positions.every(({ rowid }) => rowid !== cursor.rowid);
  const all = isMissing ? [...positions, cursor] : positions;
  return {
    positions: [...all].sort((a, b) => (a.rowid > b.rowid ? -1 : a.rowid < b.rowid ? 1 : 0)),
    trail: footing?.trail ?? [],
    recent: footing?.recent ?? null,
  };
}

/** JSON text for the state; rowids are strings there, since JSON numbers need not hold 64 bits. */
export function formatFooting(footing: Footing | null): string | null {
  return (
    footing && JSON.stringify(footing, (_, value) => (typeof value === "bigint" ? String(value) : value))
  );
}

export function parseFooting(text: string | null): Footing | null {
  if (text === null) return null;
  const footing = JSON.parse(text, (name, value) => (name === "rowid" ? BigInt(value) : value));
  return { cursor: null, recent: null, ...footing };
}
