/** What a source does that rows can be lost by, and that the uploader can see but not mend. */
export type SourceHazard =
  /** A value is shipped as null, since it is too large; a null rowid: in an aggregated group. */
  | {
      readonly kind: "omitted";
      readonly rowid: bigint | null;
      readonly column: string;
      readonly bytes: number;
    }
  /** Rows came to be at or below the cursor after it had passed. */
  | { readonly kind: "behind"; readonly rows: number; readonly first: bigint; readonly last: bigint }
  /** The largest rowid there can be is taken; SQLite now picks others by chance, all below the cursor. */
  | { readonly kind: "exhausted" };

/** What is said of it in the log. */
export function describeHazard(hazard: SourceHazard): string {
  switch (hazard.kind) {
    case "omitted": {
      const row = hazard.rowid === null ? "a group's key" : `row ${hazard.rowid}`;
      return `the value of ${hazard.column} in ${row} has ${hazard.bytes} bytes, more than is shipped: it is null there, its size is in _rescued, and the source still has it`;
    }
    case "behind":
      return `${hazard.rows} rows were inserted between the rowids ${hazard.first} and ${hazard.last}, which were shipped before; they are not shipped: let SQLite assign rowids, or let them only grow`;
    case "exhausted":
      return "the table has the largest rowid there can be, 2^63-1: SQLite gives later rows rowids by chance, which are not shipped; make the table anew";
  }
}
