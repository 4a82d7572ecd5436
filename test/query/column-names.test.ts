import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createColumnNamer, RESERVED_NAMES } from "../../src/query/column-names.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";

const name = fc.oneof(
  fc.string({ unit: "binary", maxLength: 6 }),
  fc.string({
    unit: fc.constantFrom("a", "A", "_", "2", " ", "=", "ſ", "s", "K", "k", "ς", "Σ"),
    maxLength: 4,
  }),
  fc.constantFrom(...RESERVED_NAMES).map((reserved) => reserved.toUpperCase()),
);

function nameAll(names: readonly string[], reserved: readonly string[] = []): string[] {
  return names.map(createColumnNamer(reserved));
}

describe("names of columns", () => {
  it.each([
    [["temperature"], ["temperature"]],
    [["a b;c"], ["a_b_c"]],
    [
      ["a,b", "a{b", "a}b", "a(b)", "a\nb", "a\tb", "a=b", "a\rb", "a\u0001b"],
      ["a_b", "a_b_2", "a_b_3", "a_b_", "a_b_4", "a_b_5", "a_b_6", "a_b_7", "a_b_8"],
    ],
    [[""], ["column"]],
    [["a\ud800"], ["a_"]],
    [
      ["Ä", "ä"],
      ["Ä", "ä_2"],
    ],
    [
      ["x", "x_2", "X"],
      ["x", "x_2", "X_3"],
    ],
    [
      ["_RowId", "_rowid_2"],
      ["_RowId_2", "_rowid_2_2"],
    ],
    [
      ["ingest_date", "Ingest_Date"],
      ["ingest_date_2", "Ingest_Date_3"],
    ],
  ])("gives %j the names %j", (names, given) => {
    expect(nameAll(names)).toEqual(given);
  });

  it("keeps the names that a caller reserves", () => {
    expect(nameAll(["Window_Start"], ["window_start"])).toEqual(["Window_Start_2"]);
  });

  it("are unique in lower and in upper case, never reserved, and free of what Spark refuses", () => {
    fc.assert(
      fc.property(fc.array(name, { maxLength: 30 }), (names) => {
        const given = nameAll(names);
        for (const fold of [(text: string) => text.toLowerCase(), (text: string) => text.toUpperCase()]) {
          const all = [...RESERVED_NAMES, ...given].map(fold);
          expect(new Set(all).size).toBe(all.length);
        }
        for (const text of given) expect(text).toMatch(/^[^ ,;{}()=\p{Cc}\p{Cs}]+$/u);
      }),
      fuzzRuns(100),
    );
  });

  it("do not change when columns are added behind them", () => {
    fc.assert(
      fc.property(fc.array(name), fc.array(name), (before, added) => {
        expect(nameAll([...before, ...added]).slice(0, before.length)).toEqual(nameAll(before));
      }),
      fuzzRuns(100),
    );
  });
});
