import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openMemory } from "./tables.ts";

const db = openMemory();
function evaluate(sql: string, ...values: unknown[]): unknown {
  return db
    .prepare(`SELECT ${sql}`)
    .pluck()
    .get(...values);
}

describe("functions of SQL", () => {
  it.each([
    ["abc", "^a.c$", 1n],
    ["abc", "b", 1n],
    ["abc", "^b", 0n],
    ["😀", "^.$", 1n],
    ["a\0b", "^a\\0b$", 1n],
    ["abc", "(", 0n],
    ["", "^$", 1n],
    [5n, "5", 0n],
    [null, "", 0n],
    [Buffer.from("abc"), "abc", 0n],
  ])("matches_pattern(%s, %s) is %s", (value, pattern, matches) => {
    expect(evaluate("matches_pattern(?, ?)", value, pattern)).toBe(matches);
  });

  it("matches_pattern is no error where the pattern exhausts the stack", () => {
    expect(evaluate("matches_pattern(?, ?)", "a".repeat(10_000_000), "^(a|b)*?c")).toBe(0n);
  });

  it.each([
    ["80", 80],
    ["-0.5", -0.5],
    [" 8e1\n", 80],
    ["9007199254740992", 9007199254740992],
    ["1e308", 1e308],
    ["9007199254740993", null],
    ["1e309", null],
    ["99999999999999999999", null],
    ["100000000000000000000", 1e20],
    ["080", null],
    ["+80", null],
    [".5", null],
    ["5.", null],
    ["80\0", null],
    ["NaN", null],
    ["0x10", null],
    ["", null],
    [80n, null],
  ])("number_of_text(%s) is %s", (text, number) => {
    expect(evaluate("number_of_text(?)", text)).toBe(number);
  });

  it.each([
    ["80", 80n],
    ["8e1", 80n],
    ["80.0", 80n],
    ["-9223372036854775808", -(2n ** 63n)],
    ["9223372036854775808", null],
    ["80.5", null],
    ["9007199254740993.0", null],
    ["1e400", null],
    ["9".repeat(100_000), null],
    ["80x", null],
    [80n, null],
  ])("integer_of_text(%.20s) is %s", (text, integer) => {
    expect(evaluate("integer_of_text(?)", text)).toBe(integer);
  });

  it("character_count counts code points, NUL among them", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(evaluate("character_count(?)", text)).toBe(BigInt([...text].length));
      }),
    );
    expect(evaluate("character_count(?)", "a\0😀")).toBe(3n);
    expect(evaluate("character_count(?)", 5n)).toBeNull();
  });

  it("well_formed leaves text alone, and replaces bytes that are not UTF-8", () => {
    expect(evaluate("hex(well_formed(?))", "a\0ü")).toBe("6100C3BC");
    expect(evaluate("hex(well_formed(CAST(X'61FF' AS TEXT)))")).toBe("61EFBFBD");
  });
});
