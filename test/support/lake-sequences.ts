import { groupBy } from "./group-by.ts";
import type { Twice } from "./lake-contents.ts";
import type { LakeObject } from "./lake-reader.ts";

/** I2, from names alone. */
export function sequencesOf(
  objects: readonly LakeObject[],
  twice: Twice | undefined,
  lossy: readonly number[] = [],
): string[] {
  // Two states gave the same numbers out: then each extraction is whole, but they overlap.
  if (twice?.told === "_extracted_at") {
    const byRange = groupBy(objects, ({ name: { generation, sequence, range } }) =>
      [generation, sequence, range.first, range.last].join(),
    );
    const numbers = new Set(objects.map(({ name: { generation, sequence } }) => `${generation},${sequence}`));
    return byRange.size > numbers.size
      ? [...byRange.values()].flatMap((parts) => partsOf(parts, []))
      : ["I2: two states are said to have given out the same numbers, and no number came twice"];
  }
  const violations: string[] = [];
  for (const [generation, ofOne] of groupBy(objects, ({ name }) => name.generation)) {
    const bySequence = groupBy(ofOne, ({ name }) => name.sequence);
    let last: bigint | null = null;
    for (let sequence = 1; sequence <= Math.max(...bySequence.keys()); sequence++) {
      const parts = (bySequence.get(sequence) ?? []).map(({ name }) => name).sort((a, b) => a.part - b.part);
      const [first] = parts;
      const subject = `I2: extraction ${sequence} of generation ${generation}`;
      if (!first) {
        if (!lossy.includes(generation)) violations.push(`${subject} is missing`);
        continue;
      }
      violations.push(...partsOf(bySequence.get(sequence) ?? [], lossy));
      const ranges = new Set(parts.map(({ range, parts: count }) => `${range.first} ${range.last} ${count}`));
      if (ranges.size > 1) violations.push(`${subject} has parts that disagree: ${[...ranges].join("; ")}`);
      if (last !== null && first.range.first <= last)
        violations.push(`${subject} begins within the one before`);
      last = first.range.last;
    }
  }
  return violations;
}

/** I2, of one extraction. */
function partsOf(objects: readonly LakeObject[], lossy: readonly number[]): string[] {
  const [first] = objects;
  if (!first) return [];
  const { generation, sequence, parts } = first.name;
  const numbers = objects.map(({ name }) => name.part).sort((a, b) => a - b);
  const isWhole = numbers.join() === Array.from({ length: parts }, (_, index) => index + 1).join();
  return isWhole || lossy.includes(generation)
    ? []
    : [`I2: extraction ${sequence} of generation ${generation} has the parts ${numbers} of ${parts}`];
}
