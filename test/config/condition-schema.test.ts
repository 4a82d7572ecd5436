import { describe, expect, test } from "vitest";
import { parseCondition } from "../../src/config/condition-schema.ts";
import { formatKey } from "../../src/config/problems.ts";

function faultsOf(value: unknown): string[] {
  const faults: string[] = [];
  const result = parseCondition(value, (path, message) => faults.push(`${formatKey(path)}: ${message}`));
  expect(result === null).toBe(faults.length > 0);
  return faults;
}

function nested(depth: number): unknown {
  return depth === 0 ? { a: 1 } : { $not: nested(depth - 1) };
}

describe("a condition", () => {
  test.each([
    { temperature: { ">": 80 }, location: "Berlin", status_code: { in: [1, 2] } },
    { a: 0, b: 1.5, c: "", d: true, e: null },
    {
      a: { "=": null, "!=": 1, "<": "x", "<=": 5, ">": -1, ">=": 0, in: ["a", null, 1, false], not_in: [1] },
    },
    { $or: [{ a: 1 }, { $and: [{ b: 2 }, { $not: { c: { "<": 3 } } }] }], d: 4 },
    { constructor: 1, toString: { "=": 2 }, "a b": 3 },
    nested(31),
  ])("%j is taken as it is", (value) => {
    expect(faultsOf(value)).toEqual([]);
    expect(parseCondition(value, () => {})).toBe(value);
  });

  test.each([
    [null, ": must be a mapping of columns to what must hold for them, not null"],
    ["a > 1", ': must be a mapping of columns to what must hold for them, not "a > 1"'],
    [[{ a: 1 }], ": must be a mapping of columns to what must hold for them, not a list"],
    [{}, ": is empty; name at least one column"],
    [{ "": 1 }, '"": a column must have a name'],
    [{ a: {} }, "a: must be a value or a mapping of comparisons, not an empty mapping"],
    [
      { a: [1, 2] },
      "a: must be a value or a mapping of comparisons, not a list; for a list of values write in: [...]",
    ],
    [{ a: Number.NaN }, "a: must be a value or a mapping of comparisons, not NaN"],
    [{ a: { ">": null } }, 'a.">": must be a number or a text, not null'],
    [{ a: { "<=": true } }, 'a."<=": must be a number or a text, not true'],
    [{ a: { ">": Number.POSITIVE_INFINITY } }, 'a.">": must be a number or a text, not Infinity'],
    [{ a: { "=": [1] } }, 'a."=": must be a text, a number, true, false or null, not a list'],
    [{ a: { in: 1 } }, "a.in: must be a list of values, not 1"],
    [{ a: { in: [] } }, "a.in: must be a list of values, not an empty list"],
    [
      { a: { not_in: [1, { b: 2 }] } },
      "a.not_in[1]: must be a text, a number, true, false or null, not a mapping",
    ],
    [{ a: { in: Array(1001).fill(1) } }, "a.in: has 1001 values; the most is 1000"],
    [{ a: { "==": 1 } }, 'a."==": is not one of the comparisons = != < <= > >= in not_in; did you mean =?'],
    [{ a: { gte: 1 } }, "a.gte: is not one of the comparisons = != < <= > >= in not_in; did you mean >=?"],
    [
      { a: { notin: [1] } },
      "a.notin: is not one of the comparisons = != < <= > >= in not_in; did you mean not_in?",
    ],
    [{ a: { constructor: 1 } }, "a.constructor: is not one of the comparisons = != < <= > >= in not_in"],
    [{ a: { $not: { "=": 1 } } }, "a.$not: is not one of the comparisons = != < <= > >= in not_in"],
    [{ $or: { a: 1 } }, "$or: must be a list of conditions, not a mapping"],
    [{ $and: [] }, "$and: must be a list of conditions, not an empty list"],
    [{ $or: [{ a: 1 }, 5] }, "$or[1]: must be a mapping of columns to what must hold for them, not 5"],
    [{ $not: [{ a: 1 }] }, "$not: must be a mapping of columns to what must hold for them, not a list"],
    [{ $not: {} }, "$not: is empty; name at least one column"],
    [{ $orr: [] }, "$orr: is not one of $or, $and, $not; did you mean $or?"],
  ])("%j is refused with its place", (value, fault) => {
    expect(faultsOf(value)).toEqual([fault]);
  });

  test("has every fault reported, not the first alone", () => {
    expect(faultsOf({ a: { ">": null, "<": null }, $or: [{}, 1] })).toHaveLength(4);
  });

  test("may not be nested without end", () => {
    expect(faultsOf(nested(40))).toEqual([
      expect.stringMatching(/^\$not.*: is nested deeper than 32 levels$/),
    ]);
  });
});
