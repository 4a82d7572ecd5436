import { expect, test } from "vitest";
import type { QueryColumn, SqlValue } from "../../src/core/types.ts";
import { readColumns } from "../../src/encode/read-columns.ts";

const COLUMNS: readonly QueryColumn[] = [
  { name: "a", type: "string", source: "a" },
  { name: "b", type: "binary", source: "b" },
  { name: "_rowid", type: "int64", source: null },
];
const LIMIT = 1_000_000;

/** What the columns of one row end in: the bytes of a and b, and `_rescued`. */
function read(a: SqlValue, b: SqlValue, invalid: Uint8Array | null = null) {
  const omitted: unknown[] = [];
  const { batch } = readColumns([[a, b, 7n]], {
    columns: COLUMNS,
    rowwise: true,
    maxRows: 1,
    maxBytes: 10 * LIMIT,
    maxRowBytes: LIMIT,
    mayBeInvalid: () => invalid !== null,
    readInvalidText: () => invalid,
    onOmitted: (...value) => omitted.push(value),
  });
  const [inA, inB, , rescued] = batch.columns.map(({ values }) => values);
  return { a: inA?.length, b: inB?.length, rescued: Buffer.from(rescued as Uint8Array).toString(), omitted };
}

test("values are shipped up to the limit of a row, in the order of the columns", () => {
  expect(read("x".repeat(LIMIT), null)).toEqual({ a: LIMIT, b: 0, rescued: "", omitted: [] });
  expect(read("x".repeat(600_000), Buffer.alloc(600_000))).toEqual({
    a: 600_000,
    b: 0,
    rescued: '{"b":{"omitted":"blob","bytes":600000}}',
    omitted: [[7n, "b", 600_000]],
  });
  expect(read("x".repeat(LIMIT + 1), Buffer.alloc(LIMIT))).toMatchObject({ a: 0, b: LIMIT });
});

test("text counts by its bytes, not by its characters", () => {
  expect(read("ä".repeat(LIMIT / 2), null)).toMatchObject({ a: LIMIT, omitted: [] });
  expect(read("ä".repeat(LIMIT / 2 + 1), null)).toMatchObject({ a: 0, omitted: [[7n, "a", LIMIT + 2]] });
});

test("a value for `_rescued` counts as long as it is there", () => {
  expect(read(Buffer.alloc(400_000), null)).toMatchObject({ a: 0, omitted: [] });
  expect(read(Buffer.alloc(600_000), null)).toMatchObject({
    rescued: '{"a":{"omitted":"blob","bytes":600000}}',
    omitted: [[7n, "a", 600_000]],
  });
  const controls = "\u0001".repeat(400_000);
  expect(read(null, controls)).toMatchObject({ b: 0, omitted: [[7n, "b", 400_000]] });
  expect(read("\ufffd".repeat(200_000), null, Buffer.alloc(600_000, 0xff))).toMatchObject({
    a: 0,
    omitted: [[7n, "a", 600_000]],
  });
});
