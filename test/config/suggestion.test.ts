import { expect, test } from "vitest";
import { closestName, didYouMean } from "../../src/config/suggestion.ts";

const NAMES = ["interval", "sqlite", "sqlite_table", "in"];

test.each([
  ["interval", "interval"],
  ["INTERVAL", "interval"],
  ["intervall", "interval"],
  ["itnerval", "interval"],
  ["sqlte", "sqlite"],
  ["sqlite_tabel", "sqlite_table"],
  ["im", "in"],
  ["xyz", null],
  ["", null],
  ["directory", null],
])("%j is closest to %j", (word, name) => {
  expect(closestName(word, NAMES)).toBe(name);
});

test("of two that are equally near the first is named", () => {
  expect(closestName("bat", ["cat", "rat"])).toBe("cat");
});

test("no suggestion leaves no words", () => {
  expect(didYouMean("sqlte", NAMES)).toBe("; did you mean sqlite?");
  expect(didYouMean("elephant", NAMES)).toBe("");
});
