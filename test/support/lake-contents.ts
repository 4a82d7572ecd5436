import { differenceOf, expectedFigures, foundFigures } from "./aggregated-figures.ts";
import type { LakeObject } from "./lake-reader.ts";
import { bySchema, isSame, originOf, readGroup } from "./shipped-rows.ts";
import type { LakeCell, StoredValue } from "./stored-values.ts";

/** A row's columns as it may have stood when it was read: several where it was updated meanwhile. */
export type KnownVersions = readonly (readonly StoredValue[])[];

/** One table before it was replaced, or after: rowids mean the same rows in it. */
export interface Incarnation {
  /** The first generation that shipped it. */
  readonly sinceGeneration: number;
  /** All that were read, or had to be. */
  readonly rows: ReadonlyMap<bigint, KnownVersions>;
  /**
   * Up to this rowid its rows are those of the incarnation before and are not shipped again: they count there, also
   * where a rebuild sends some that were lost. Those behind it are, even where they are the same. Left out or null:
   * all are.
   */
  readonly resumeAfter?: number | null;
}

/** Rows that two states shipped, in the minute in which neither could know of the other. */
export interface Twice {
  readonly rowids: ReadonlySet<bigint>;
  /** The column of the lake in which the two differ; where it is not the generation, both numbered one. */
  readonly told: "_generation" | "_extracted_at";
  /** What the state that is looked at did not deliver itself. */
  readonly elsewhere: { readonly objects: number; readonly rows: number };
}

export interface ComparedTable {
  readonly node: string;
  /** Those that nobody changes once a row was read. */
  readonly columns: readonly string[];
  /** `typeof` of the text '1' in each of them. */
  readonly affinities: readonly LakeCell["affinity"][];
  readonly timestampColumn: string;
  readonly aggregated: AggregatedColumns;
  /** In the order of their generations. */
  readonly incarnations: readonly Incarnation[];
  /** Left out: none. */
  readonly twice?: Twice | undefined;
}

export interface AggregatedColumns {
  readonly windowSeconds: number;
  readonly groups: readonly string[];
  readonly metrics: readonly string[];
  readonly anomalyFlag: string | null;
}

export interface Contents {
  /** Rows of the source that were found, once and with their contents. */
  readonly rows: number;
  readonly violations: readonly string[];
}

/**
 * I1: holds the contents of all objects of one table against the rows as they were when they were read. Each row of
 * each incarnation is in the generations of that incarnation exactly once, by content, merged figures included; but
 * rows up to `resumeAfter` are those of the incarnation before, and count there. So what a replacement sends twice is
 * exactly what it said it would. `twice` names the only other rows that may come twice, which then have to, and differ in
 * the column that tells them apart. Nothing is in the lake that was not in the source, or lies beyond the cursor.
 */
export async function compareContents(
  objects: readonly LakeObject[],
  table: ComparedTable,
  /** The last row that was read; null: none was. */
  upTo: bigint | null,
): Promise<Contents> {
  const violations: string[] = [];
  const { incarnations, twice } = table;
  const newest = incarnations.at(-1) as Incarnation;
  const incarnationOf = (generation: number, rowid: bigint) =>
    incarnations.findLast(
      (incarnation) => incarnation.sinceGeneration <= generation && !isResumed(incarnation, rowid),
    ) as Incarnation;
  /** For each time that a row was shipped: what the column says that tells doubles apart. */
  const shipped = new Map(incarnations.map((incarnation) => [incarnation, new Map<bigint, string[]>()]));
  const note = (incarnation: Incarnation, rowid: bigint, told: string) => {
    const times = shipped.get(incarnation) as Map<bigint, string[]>;
    times.set(rowid, [...(times.get(rowid) ?? []), told]);
  };

  const rowwise = objects.filter(({ name }) => name.route.type !== "aggregated");
  for (const group of await bySchema(rowwise))
    for (const row of await readGroup(group, table)) {
      const { rowid, object } = row;
      const { generation, range, rows } = object.name;
      if (rowid < range.first || rowid > range.last)
        violations.push(`I1: row ${rowid} lies outside the range of ${object.key} (${rows} rows)`);
      if (row.origin !== originOf(table.node, generation))
        violations.push(`I1: row ${rowid} of ${object.key} says that it is of ${row.origin}`);
      const incarnation = incarnationOf(generation, rowid);
      note(incarnation, rowid, row.told);
      const known = incarnation.rows.get(rowid);
      if (!known) violations.push(`I1: row ${rowid} of ${object.key} is not of the source`);
      else if (!known.some((version) => isSame(version, row, table)))
        violations.push(
          `I1: row ${rowid} of ${object.key} is ${row.values} instead of ${known.join(" or ")}`,
        );
    }

  // In their order, because what a rebuild left out of a later one is in an earlier one.
  const aggregated = objects
    .filter(({ name }) => name.route.type === "aggregated")
    .sort((a, b) => a.name.generation - b.name.generation || a.name.sequence - b.name.sequence);
  for (const object of aggregated) {
    const { generation, range } = object.name;
    const known = incarnations.findLast(({ sinceGeneration }) => sinceGeneration <= generation)?.rows;
    const rowids = [...(known?.keys() ?? [])].filter(
      (rowid) =>
        range.first <= rowid &&
        rowid <= range.last &&
        !shipped.get(incarnationOf(generation, rowid))?.has(rowid),
    );
    const rows = rowids.map((rowid) => known?.get(rowid)?.at(-1) ?? []);
    const problem = differenceOf(expectedFigures(rows, table), await foundFigures(object, table));
    if (problem) violations.push(`I1: the figures of ${object.key} are not those of its rows: ${problem}`);
    for (const rowid of rowids) note(incarnationOf(generation, rowid), rowid, "");
  }

  let rows = 0;
  for (const [index, incarnation] of incarnations.entries()) {
    for (const [rowid, versions] of incarnation.rows) {
      const subject = `I1: row ${rowid} since generation ${incarnation.sinceGeneration}`;
      if (isResumed(incarnation, rowid)) {
        if (!isOf(incarnations[index - 1], rowid, versions))
          violations.push(`${subject} is not that of the generation before`);
        continue;
      }
      const told = shipped.get(incarnation)?.get(rowid) ?? [];
      const wanted = twice?.rowids.has(rowid) ? 2 : 1;
      if (told.length === 0) violations.push(`${subject} was never shipped`);
      else if (told.length !== wanted)
        violations.push(`${subject} was shipped ${told.length} times, not ${wanted}`);
      else if (new Set(told).size < wanted)
        violations.push(`${subject} was shipped with one ${twice?.told}: ${told}`);
      if (told.length > 0) rows++;
    }
  }
  for (const rowid of shipped.get(newest)?.keys() ?? [])
    if (upTo === null || rowid > upTo)
      violations.push(`I1: row ${rowid} is shipped, though ${upTo} was the last to be read`);
  return { rows, violations };
}

function isResumed({ resumeAfter = null }: Incarnation, rowid: bigint): boolean {
  return resumeAfter !== null && rowid <= BigInt(resumeAfter);
}

function isOf(incarnation: Incarnation | undefined, rowid: bigint, versions: KnownVersions): boolean {
  const wanted = versions.at(-1)?.join();
  return incarnation?.rows.get(rowid)?.some((version) => version.join() === wanted) ?? false;
}
