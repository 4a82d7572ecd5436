import { sep } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { safeName } from "../../src/core/names.ts";
import {
  formatObjectKey,
  type ObjectName,
  objectKeyPrefix,
  ownerKey,
  parseObjectKey,
} from "../../src/core/object-key.ts";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { assertInside } from "../../src/sink/directory-paths.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";

const EXAMPLE: ObjectName = {
  route: { type: "raw", rejected: false },
  node: "edge-7",
  table: "sensor_readings",
  generation: 1,
  sequence: 42,
  part: 1,
  parts: 2,
  range: { first: 1n, last: 8192n },
  rows: 8000,
  ingestDate: "2026-02-03",
};

/** Names from outside: of any characters, and some that look like parts of a key. */
const anyName = fc.oneof(
  { weight: 3, arbitrary: fc.string({ unit: "binary", maxLength: 90 }) },
  fc.constantFrom(
    "",
    ".",
    "..",
    "../..",
    "/etc/passwd",
    "C:\\temp",
    "a\0b",
    "_hidden",
    ".hidden",
    "rejected",
    "ingest_date=2026-01-01",
    "%2e%2e%2f",
    "edge-0001-0000000001-1of1-0000000000000000001-0000000000000000009-9",
    "0001-0000000001",
    "x.parquet",
  ),
);
const rowid = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-(2n ** 63n), -1n, 0n, 1n, 2n ** 63n - 1n),
);
const anyObjectName: fc.Arbitrary<ObjectName> = fc.record({
  route: fc.record({ type: fc.constantFrom(...PIPELINE_TYPES), rejected: fc.boolean() }),
  node: anyName,
  table: anyName,
  generation: fc.integer({ min: 1, max: 100_000 }),
  sequence: fc.integer({ min: 1, max: 2 ** 36 }),
  part: fc.integer({ min: 1, max: 9 }),
  parts: fc.integer({ min: 9, max: 12 }),
  range: fc
    .tuple(rowid, rowid)
    .map(([one, other]) => (one <= other ? { first: one, last: other } : { first: other, last: one })),
  rows: fc.integer({ min: 0, max: 2 ** 36 }),
  ingestDate: fc
    .date({ min: new Date("2000-01-01"), max: new Date("9999-12-31"), noInvalidDate: true })
    .map((date) => date.toISOString().slice(0, 10)),
});

describe("formatObjectKey", () => {
  it.each<[string, Partial<ObjectName>]>([
    [
      "raw/sensor_readings/ingest_date=2026-02-03/edge-7-0001-0000000042-1of2-0000000000000000001-0000000000000008192-8000.parquet",
      {},
    ],
    [
      "rejected/schematized/sensor_readings/ingest_date=2026-02-03/edge-7-0001-0000000042-1of2-0000000000000000001-0000000000000008192-8000.parquet",
      { route: { type: "schematized", rejected: true } },
    ],
    [
      "raw/sensor_readings/ingest_date=2026-02-03/edge-7-0001-0000000042-1of2-n9223372036854775808-9223372036854775807-8000.parquet",
      { range: { first: -(2n ** 63n), last: 2n ** 63n - 1n } },
    ],
    [
      "raw/sensor_readings/ingest_date=2026-02-03/edge-7-0001-0000000042-1of2-n0000000000000000001-0000000000000000000-8000.parquet",
      { range: { first: -1n, last: 0n } },
    ],
  ])("makes %s", (key, changes) => {
    expect(formatObjectKey({ ...EXAMPLE, ...changes })).toBe(key);
  });

  it("is taken apart and put together again for any node, table and rowids", () => {
    fc.assert(
      fc.property(anyObjectName, (name) => {
        const key = formatObjectKey(name);
        const parsed = parseObjectKey(key);
        expect(parsed).toEqual({ ...name, node: safeName(name.node), table: safeName(name.table) });
        expect(formatObjectKey(parsed as ObjectName)).toBe(key);
      }),
      fuzzRuns(100),
    );
  });

  it("keeps rowids of the same sign in order", () => {
    const keys = [1n, 9n, 10n, 2n ** 40n, 2n ** 63n - 1n].map((first) =>
      formatObjectKey({ ...EXAMPLE, range: { first, last: 2n ** 63n - 1n } }),
    );
    expect(keys.toSorted()).toEqual(keys);
  });

  it("has no file or folder that Spark hides, and no character that Spark or Hadoop decodes", () => {
    fc.assert(
      fc.property(anyObjectName, (name) => {
        const key = formatObjectKey(name);
        expect(key.startsWith(objectKeyPrefix(name.route, name.table))).toBe(true);
        expect(key).toMatch(/^[A-Za-z0-9._=/-]+$/);
        for (const part of key.split("/")) expect(part).toMatch(/^[A-Za-z0-9]/);
      }),
      fuzzRuns(100),
    );
  });

  it("names nothing outside the folder of the directory sink", () => {
    fc.assert(
      fc.property(anyObjectName, (name) => {
        for (const key of [formatObjectKey(name), ownerKey(name.node, name.table)]) {
          const path = assertInside("/lake", "bucket", key);
          expect(path.startsWith(`${sep}lake${sep}bucket${sep}`)).toBe(true);
          expect(path.split(sep)).toHaveLength(3 + key.split("/").length);
        }
      }),
      fuzzRuns(100),
    );
  });

  it("differs where any of its parts differs", () => {
    const parts = Object.keys(EXAMPLE) as (keyof ObjectName)[];
    fc.assert(
      fc.property(anyObjectName, anyObjectName, fc.constantFrom(...parts), (one, other, part) => {
        const changed = { ...one, [part]: other[part] };
        fc.pre(JSON.stringify(one, bigintText) !== JSON.stringify(changed, bigintText));
        expect(formatObjectKey(changed)).not.toBe(formatObjectKey(one));
      }),
      fuzzRuns(100),
    );
  });
});

describe("parseObjectKey", () => {
  it.each([
    "",
    "raw/sensor_readings/ingest_date=2026-02-03/notes.parquet",
    "_owner/edge-7/sensor_readings.json",
    "bronze/t/ingest_date=2026-02-03/n-0001-0000000042-1of2-0000000000000000001-0000000000000000009-9.parquet",
    "raw/t/u/ingest_date=2026-02-03/n-0001-0000000042-1of2-0000000000000000001-0000000000000000009-9.parquet",
    "raw/t/ingest_date=2026-02-03/n-0001-0000000042-1of2-0000000000000000001-0000000000000000009-9.parquet.tmp",
    "raw/t/ingest_date=2026-02-03/n-0001-0000000042-0000000000000000001-0000000000000000009-9.parquet",
    "x/raw/t/ingest_date=2026-02-03/n-0001-0000000042-1of2-0000000000000000001-0000000000000000009-9.parquet",
  ])("does not take %s for a key of ours", (key) => {
    expect(parseObjectKey(key)).toBeNull();
  });

  it.each<[string, Partial<Record<keyof typeof EXAMPLE_PARTS, string>>]>([
    ["part 3 of 2", { part: "3of2" }],
    ["part 0 of 0", { part: "0of0" }],
    ["part 0 of 2", { part: "0of2" }],
    ["a part with a zero before it", { part: "01of2" }],
    ["sequence 0", { sequence: "0000000000" }],
    ["a sequence that is no whole number any more", { sequence: "9007199254740993" }],
    ["a sequence with zeros too many", { sequence: "00000000042" }],
    ["generation 0", { generation: "0000" }],
    ["generation 10^20", { generation: "100000000000000000000" }],
    ["more generations than there can be", { generation: "2147483648" }],
    ["a month and a day that are none", { date: "2026-99-99" }],
    ["30 February", { date: "2026-02-30" }],
    ["a rowid of 2^63", { last: "9223372036854775808" }],
    ["a rowid below -2^63", { first: "n9223372036854775809" }],
    ["a rowid of -0", { first: "n0000000000000000000" }],
    ["a first rowid behind the last", { first: "0000000000000000010" }],
    ["rows without number", { rows: "9007199254740993" }],
    ["a table that is no safe name", { table: "_hidden" }],
    ["a node that is no safe name", { node: "edge 7" }],
  ])("does not take %s for a key of ours", (_, changes) => {
    expect(parseObjectKey(keyOf(EXAMPLE_PARTS))).not.toBeNull();
    expect(parseObjectKey(keyOf({ ...EXAMPLE_PARTS, ...changes }))).toBeNull();
  });

  it("takes no text for a key from which another one would be made, nor one that no object could have", () => {
    const anyKey = anyObjectName.map(formatObjectKey);
    fc.assert(
      fc.property(fc.oneof(mutated(anyKey), likeAKey, fc.string({ unit: "binary" })), (key) => {
        const name = parseObjectKey(key);
        if (name === null) return;
        expect(formatObjectKey(name)).toBe(key);
        expect(name.part).toBeLessThanOrEqual(name.parts);
        for (const number of [name.generation, name.sequence, name.part]) {
          expect(number).toBeGreaterThanOrEqual(1);
          expect(Number.isSafeInteger(number + 1)).toBe(true);
        }
        for (const rowid of [name.range.first, name.range.last]) expect(BigInt.asIntN(64, rowid)).toBe(rowid);
        expect(name.range.first <= name.range.last).toBe(true);
        expect(new Date(name.ingestDate).toISOString().slice(0, 10)).toBe(name.ingestDate);
      }),
      { numRuns: 2_000 },
    );
  });
});

const EXAMPLE_PARTS = {
  ...{ table: "t", date: "2026-02-03", node: "n", generation: "0001", sequence: "0000000042", part: "1of2" },
  ...{ first: "0000000000000000001", last: "0000000000000000009", rows: "9" },
};

function keyOf({ table, date, node, generation, sequence, part, first, last, rows }: typeof EXAMPLE_PARTS) {
  const file = [node, generation, sequence, part, first, last, rows].join("-");
  return `raw/${table}/ingest_date=${date}/${file}.parquet`;
}

/** A key of ours with some of its characters replaced, left out or doubled. */
function mutated(anyKey: fc.Arbitrary<string>): fc.Arbitrary<string> {
  const edits = fc.array(
    fc.record({
      at: fc.nat({ max: 300 }),
      length: fc.nat({ max: 3 }),
      text: fc.oneof(fc.constantFrom("", "0", "9", "n", "-", "of", "/", "99"), fc.string({ maxLength: 2 })),
    }),
    { minLength: 1, maxLength: 3 },
  );
  return fc.tuple(anyKey, edits).map(([key, edits]) =>
    edits.reduce((text, { at, length, text: put }) => {
      const from = at % (text.length + 1);
      return text.slice(0, from) + put + text.slice(from + length);
    }, key),
  );
}

const digits = (length: number) =>
  fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: length, maxLength: length });
/** What has the shape of a key, with any digits in it. */
const likeAKey = fc
  .record({
    table: fc.constantFrom("t", "_t", "t t"),
    date: fc.tuple(digits(4), digits(2), digits(2)).map((parts) => parts.join("-")),
    node: fc.constantFrom("n", "n-7", ".n"),
    generation: fc.oneof(digits(4), digits(21)),
    sequence: fc.oneof(digits(10), digits(17)),
    part: fc.tuple(digits(1), digits(1)).map((parts) => parts.join("of")),
    first: fc.tuple(fc.constantFrom("", "n"), digits(19)).map((parts) => parts.join("")),
    last: fc.tuple(fc.constantFrom("", "n"), digits(19)).map((parts) => parts.join("")),
    rows: fc.oneof(digits(1), digits(18)),
  })
  .map(keyOf);

function bigintText(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
