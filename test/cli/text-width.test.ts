import { expect, test } from "vitest";
import textWidth from "../../src/cli/text-width.ts";

test.each<[string, number]>([
  ["", 0],
  ["--once", 6],
  ["\u001b[1m--once\u001b[22m", 6],
  ["s\u00e9rie", 5],
])("%j takes %i columns", (text, columns) => {
  expect(textWidth(text)).toBe(columns);
});
