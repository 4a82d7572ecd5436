import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { renderConfigReference, replaceConfigReference } from "../../src/config/reference.ts";
import { SETTING_ENTRIES } from "../../src/config/setting-table.ts";

const BEGIN = "<!-- config-reference:begin -->";
const END = "<!-- config-reference:end -->";

test("the configuration reference in README.md is that of the schema (npx tsx scripts/config-reference.ts --write)", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const inside = readme.split(BEGIN)[1]?.split(END)[0];
  expect(inside).toBe(`\n${renderConfigReference()}`);
});

test("each setting has a row with its names, default and meaning", () => {
  const rows = renderConfigReference().trimEnd().split("\n");
  expect(rows).toHaveLength(3 + SETTING_ENTRIES.length);
  for (const row of rows) expect(row.match(/(?<!\\)\|/g)).toHaveLength(6);
  expect(rows).toContain(
    "| `interval` | `UPLOAD_INTERVAL` | `--interval` | `30` | Seconds between cycles; in emergency `emergency.interval` counts |",
  );
  expect(rows).toContain(
    "|  | `ONCE` | `--once` | `false` | Ship what is there and exit (`true`, `1`, `yes`; `--no-once` overrides the variable) |",
  );
  for (const [name, { defaultText, description }] of SETTING_ENTRIES) {
    expect(defaultText, name).not.toBe("");
    expect(description, name).toMatch(/^[^\n]+[^.\n]$/);
  }
});

test("only what stands between the markers is replaced", () => {
  const text = replaceConfigReference(`# A\n${BEGIN}\nold\n${END}\nrest`);
  expect(text).toBe(`# A\n${BEGIN}\n${renderConfigReference()}${END}\nrest`);
  expect(replaceConfigReference(text)).toBe(text);
});

test.each(["", BEGIN, END, `${END}${BEGIN}`, `${BEGIN}${BEGIN}${END}`, `${BEGIN}${END}${END}`])(
  "a document %j without the two markers is left alone",
  (text) => {
    expect(() => replaceConfigReference(text)).toThrow("The document must hold");
  },
);
