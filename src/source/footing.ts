import type { SourceSchema } from "../core/types.ts";
import type { Connection } from "../sqlite/open.ts";
import { type Position, positionsBefore } from "./continuity.ts";
import type { Numbering, NumberingWatch } from "./numbering.ts";

/** Rows whose digests are kept; it takes less than a millisecond. */
const TRAIL_ROWS = 64;

/**
 * What is remembered of the rows up to the cursor, besides the positions, until the cursor moves on. Tables with
 * AUTOINCREMENT need none: their rowids are neither given out again nor changed.
 */
export interface Footing {
  /** The rows right before the cursor, the highest first. */
  readonly trail: readonly Position[];
  readonly numbering: Numbering | null;
}

export function noteFooting(
  db: Connection,
  schema: SourceSchema,
  lastRowid: bigint,
  numbering: NumberingWatch,
): Footing | null {
  if (schema.autoincrement) return null;
  return {
    trail: positionsBefore(db, schema, lastRowid, TRAIL_ROWS),
    numbering: numbering.note(schema, lastRowid),
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
  return JSON.parse(text, (name, value) => (name === "rowid" ? BigInt(value) : value));
}
