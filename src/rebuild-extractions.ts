import type { ObjectName } from "./core/object-key.ts";
import type { RowRange } from "./core/types.ts";

/** An object of a source in the buckets. */
export interface FoundObject {
  readonly bucket: string;
  readonly key: string;
  readonly bytes: number;
  readonly name: ObjectName;
}

/** An extraction as its objects show it. */
export interface Extraction {
  readonly generation: number;
  readonly sequence: number;
  readonly range: RowRange;
  readonly parts: number;
  readonly objects: readonly FoundObject[];
  readonly isComplete: boolean;
}

/** Objects with the same number are parts of one extraction if they agree on all that its parts have in common. */
export function groupExtractions(objects: readonly FoundObject[]): Extraction[] {
  const groups = groupBy(objects, ({ name }) =>
    [name.generation, name.sequence, name.parts, name.range.first, name.range.last, name.ingestDate].join(),
  );
  return [...groups.values()].map((found) => {
    const { generation, sequence, range, parts } = (found[0] as FoundObject).name;
    const numbers = new Set(found.map(({ name }) => name.part));
    const isComplete = found.length === parts && numbers.size === parts;
    return { generation, sequence, range, parts, objects: found, isComplete };
  });
}

/**
 * The complete extractions from number 1 on. Two different ones under a number, or ranges out of order, are of
 * two states that shipped side by side: from there on, the ranges alone are to be trusted.
 */
export function completeRun(extractions: readonly Extraction[]): Extraction[] {
  const bySequence = groupBy(extractions, ({ sequence }) => sequence);
  const run: Extraction[] = [];
  for (;;) {
    const [next, another] = bySequence.get(run.length + 1) ?? [];
    const previous = run.at(-1);
    const follows = next && (!previous || next.range.first > previous.range.last);
    if (!next || another || !next.isComplete || !follows) return run;
    run.push(next);
  }
}

/** `Map.groupBy`, which Node.js 20 does not have. */
function groupBy<Item, Key>(items: readonly Item[], keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
