import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { rangesOfRowids } from "../../src/core/row-ranges.ts";
import { beginSpace, type RowidSpace } from "../../src/core/rowid-spaces.ts";
import type { RowRange } from "../../src/core/types.ts";
import type { FoundObject } from "../../src/rebuild-extractions.ts";
import { coveredBy, planRebuild } from "../../src/rebuild-plan.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";

/** A row as it stands in a table that may be replaced: the same rowid is another row then. */
type Row = `${bigint}@${number}`;

interface ModelObject extends FoundObject {
  readonly rowids: readonly bigint[];
  readonly rows: readonly Row[];
}

type Step =
  | { readonly do: "insert"; readonly rows: number; readonly gap: number }
  | { readonly do: "extract"; readonly rows: number; readonly parts: 1 | 2; readonly split: number }
  | { readonly do: "deliver"; readonly which: readonly boolean[] }
  | { readonly do: "replace"; readonly keep: number }
  | { readonly do: "rebuild" };

/** An uploader, its table and its lake, as simple as can be: nothing here knows how a plan is made. */
class Model {
  readonly lake: ModelObject[] = [];
  #outbox: ModelObject[] = [];
  #table = new Map<bigint, number>();
  #incarnation = 1;
  #nextRowid = 1n;
  #generation = 1;
  #sequence = 1;
  #cursor: bigint | null = null;
  #covered: readonly RowRange[] = [];
  #spaces: readonly RowidSpace[] = [{ since: 1, after: null }];

  get rows(): Row[] {
    return [...this.#table].map(([rowid, incarnation]) => `${rowid}@${incarnation}` as Row);
  }

  run(step: Step): void {
    if (step.do === "insert") this.insert(step.rows, step.gap);
    else if (step.do === "extract") this.extract(step);
    else if (step.do === "deliver") this.deliver((index) => step.which[index % step.which.length] ?? true);
    else if (step.do === "replace") this.replace(step.keep);
    else this.rebuild();
  }

  insert(rows: number, gap: number): void {
    for (let count = 0; count < rows; count++) {
      this.#table.set(this.#nextRowid, this.#incarnation);
      this.#nextRowid += count === 0 ? BigInt(1 + gap) : 1n;
    }
  }

  /** @returns whether there was anything */
  extract({ rows, parts, split }: { rows: number; parts: 1 | 2; split: number }): boolean {
    const isNew = (rowid: bigint) =>
      (this.#cursor === null || rowid > this.#cursor) &&
      !this.#covered.some(({ first, last }) => first <= rowid && rowid <= last);
    const rowids = [...this.#table.keys()]
      .filter(isNew)
      .sort((a, b) => Number(a - b))
      .slice(0, rows);
    const [first, last] = [rowids[0], rowids.at(-1)];
    if (first === undefined || last === undefined) return false;
    const shares = [
      rowids.filter((rowid) => Number(rowid) % split !== 0),
      rowids.filter((rowid) => Number(rowid) % split === 0),
    ];
    const used = (parts === 1 ? [rowids] : shares).filter((share) => share.length > 0);
    for (const [index, share] of used.entries())
      this.#outbox.push({
        bucket: "bucket",
        key: `${this.#generation}-${this.#sequence}-${index + 1}`,
        bytes: 1,
        name: {
          route: { type: index === 0 ? "raw" : "emergency", rejected: false },
          node: "node",
          table: "table",
          generation: this.#generation,
          sequence: this.#sequence,
          part: index + 1,
          parts: used.length,
          range: { first, last },
          rows: share.length,
          ingestDate: "2024-01-01",
        },
        rowids: share,
        rows: share.map((rowid) => `${rowid}@${this.#table.get(rowid)}` as Row),
      });
    this.#sequence++;
    this.#cursor = last;
    return true;
  }

  deliver(isDelivered: (index: number) => boolean): void {
    const waiting = this.#outbox;
    this.#outbox = waiting.filter((_, index) => !isDelivered(index));
    this.lake.push(...waiting.filter((_, index) => isDelivered(index)));
  }

  /** All rows behind one that was extracted, and which `keep` chooses, are replaced by as many others. */
  replace(keep: number): void {
    const extracted = [...this.#table.keys()].filter(
      (rowid) => this.#cursor !== null && rowid <= this.#cursor,
    );
    const after = extracted.sort((a, b) => Number(a - b))[Math.floor(keep * extracted.length) - 1] ?? null;
    this.#incarnation++;
    for (const rowid of this.#table.keys())
      if (after === null || rowid > after) this.#table.set(rowid, this.#incarnation);
    this.#generation++;
    this.#sequence = 1;
    this.#cursor = after;
    this.#covered = [];
    this.#spaces = beginSpace(this.#spaces, { since: this.#generation, after });
  }

  rebuild(): void {
    this.#outbox = [];
    const plan = planRebuild(this.lake, { generation: this.#generation, rowidSpaces: this.#spaces });
    this.#covered = coveredBy(plan.claims, (object) => rangesOfRowids((object as ModelObject).rowids));
    this.#cursor = plan.cursor;
    this.#generation = plan.generation;
    this.#spaces = plan.rowidSpaces;
    this.#sequence = 1;
  }
}

const share = fc.double({ min: 0, max: 1, noNaN: true });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    arbitrary: fc.record({
      do: fc.constant("insert" as const),
      rows: fc.integer({ min: 1, max: 12 }),
      gap: fc.nat(3),
    }),
    weight: 3,
  },
  {
    arbitrary: fc.record({
      do: fc.constant("extract" as const),
      rows: fc.integer({ min: 1, max: 8 }),
      parts: fc.constantFrom(1 as const, 2 as const),
      split: fc.integer({ min: 1, max: 4 }),
    }),
    weight: 6,
  },
  {
    arbitrary: fc.record({
      do: fc.constant("deliver" as const),
      which: fc.array(fc.boolean(), { minLength: 1 }),
    }),
    weight: 3,
  },
  { arbitrary: fc.record({ do: fc.constant("replace" as const), keep: share }), weight: 1 },
  { arbitrary: fc.constant({ do: "rebuild" as const }), weight: 2 },
);

describe("a plan", () => {
  test("sends every row once, whatever was extracted, delivered, lost, replaced and rebuilt before", () => {
    let rebuiltInEarnest = 0;
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60, size: "max" }), (steps) => {
        const model = new Model();
        for (const step of steps) model.run(step);
        model.rebuild();
        if (model.lake.length > 2) rebuiltInEarnest++;
        while (model.extract({ rows: 5, parts: 1, split: 1 }));
        model.deliver(() => true);
        const delivered = model.lake.flatMap(({ rows }) => rows);
        expect(delivered.length).toBe(new Set(delivered).size);
        expect(model.rows.filter((row) => !delivered.includes(row))).toEqual([]);
      }),
      fuzzRuns(1_500),
    );
    expect(rebuiltInEarnest).toBeGreaterThan(750);
  });

  const object = (
    sequence: number,
    first: number,
    last: number,
    more: Partial<FoundObject["name"]> = {},
  ): FoundObject => ({
    bucket: "bucket",
    key: `${sequence}-${first}-${last}-${more.part ?? 1}`,
    bytes: 1,
    name: {
      route: { type: "raw", rejected: false },
      node: "node",
      table: "table",
      generation: 1,
      sequence,
      part: 1,
      parts: 1,
      range: { first: BigInt(first), last: BigInt(last) },
      rows: last - first + 1,
      ingestDate: "2024-01-01",
      ...more,
    },
  });
  const marker = { generation: 1, rowidSpaces: [{ since: 1, after: null }] };

  test("goes back to the end of the last extraction before the first gap and names what is missing", () => {
    const objects = [1, 2, 4, 7].map((sequence) => object(sequence, sequence * 10, sequence * 10 + 9));
    objects.push(object(8, 80, 89, { part: 2, parts: 2, rows: 4 }));
    expect(planRebuild(objects, marker)).toEqual({
      generation: 2,
      rowidSpaces: [{ since: 1, after: null }],
      cursor: 29n,
      cursorOf: { generation: 1, sequence: 2 },
      claims: [
        { range: { first: 40n, last: 49n }, objects: null },
        { range: { first: 70n, last: 79n }, objects: null },
        { range: { first: 80n, last: 89n }, objects: [objects.at(-1)] },
      ],
      missing: [
        { generation: 1, first: 3, last: 3, parts: null },
        { generation: 1, first: 5, last: 6, parts: null },
        { generation: 1, first: 8, last: 8, parts: { found: 1, of: 2 } },
      ],
    });
  });

  test("does not speak of gaps that a later generation has made up for", () => {
    const objects = [object(1, 1, 9), object(3, 20, 29), object(1, 10, 49, { generation: 2 })];
    expect(planRebuild(objects, { ...marker, generation: 2 })).toMatchObject({
      cursor: 49n,
      claims: [],
      missing: [],
    });
  });

  test("considers the highest generation alone where no marker says what the others have to do with it", () => {
    const objects = [object(1, 1, 99), object(2, 11, 19, { generation: 2 })];
    expect(planRebuild(objects, null)).toMatchObject({
      generation: 3,
      rowidSpaces: [{ since: 2, after: null }],
      cursor: null,
      claims: [{ range: { first: 11n, last: 19n } }],
    });
  });

  test("trusts no more than the ranges where two states gave the same number to different extractions", () => {
    const objects = [object(1, 1, 9), object(2, 10, 19), object(2, 10, 21), object(3, 22, 29)];
    expect(planRebuild(objects.toSpliced(1, 1), marker)).toMatchObject({ cursor: 29n });
    expect(planRebuild(objects, marker)).toMatchObject({ cursor: 9n });
  });

  test("begins behind the marker's generation, and with 1 where there is nothing at all", () => {
    expect(planRebuild([], { generation: 6, rowidSpaces: [{ since: 2, after: null }] }).generation).toBe(7);
    expect(planRebuild([], null)).toMatchObject({
      generation: 1,
      cursor: null,
      rowidSpaces: [{ since: 1, after: null }],
    });
  });
});
