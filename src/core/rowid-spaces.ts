/**
 * Generations within which a rowid means one and the same row. A generation that a rebuild opens continues
 * the space; one that begins because the source was replaced begins a space, behind the last row that is
 * still the one that was shipped.
 */
export interface RowidSpace {
  /** Its first generation. */
  readonly since: number;
  /** Up to here its rows are those of the space before it; null: none is. */
  readonly after: bigint | null;
}

/** The spaces once another begins; those before one that shares no row with them do not matter any more. */
export function beginSpace(spaces: readonly RowidSpace[], space: RowidSpace): RowidSpace[] {
  return space.after === null ? [space] : [...spaces, space];
}

/** JSON text; rowids are strings there, since JSON numbers need not hold 64 bits. */
export function formatSpaces(spaces: readonly RowidSpace[]): string {
  return JSON.stringify(spaces.map(({ since, after }) => ({ since, after: after?.toString() ?? null })));
}

/** Spaces in the order of their generations; null where the value is none of `formatSpaces`. */
export function parseSpaces(value: unknown): RowidSpace[] | null {
  if (!Array.isArray(value) || value.length === 0) return null;
  const spaces: RowidSpace[] = [];
  for (const { since, after } of value) {
    const isRowid = after === null || (typeof after === "string" && /^-?\d{1,19}$/.test(after));
    if (!Number.isInteger(since) || since <= (spaces.at(-1)?.since ?? 0) || !isRowid) return null;
    spaces.push({ since, after: after === null ? null : BigInt(after) });
  }
  return spaces;
}
