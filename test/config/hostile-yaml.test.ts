import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { loadSettings } from "../../src/config/load-settings.ts";
import { CONFIG, problemsOf } from "./configuration.ts";

const KIB = 1024;
const bomb = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
  .concat(
    Array.from({ length: 8 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(10).fill(`*a${i}`).join(", ")}]`),
  )
  .join("\n");
const invalid = (line: number, what: string): string =>
  `configuration file: is not valid: ${what} (${CONFIG}:${line})`;

test.each([
  [
    "a bracket that stays open",
    "a:\n  b: [1, 2\n",
    invalid(3, "the indentation does not fit the lines above, or a bracket there is still open"),
  ],
  [
    "a quote that stays open",
    'a: 1\nb: "x\n',
    invalid(3, "a quote, bracket, comma, colon or blank is missing"),
  ],
  ["a tab", "a:\n\tb: 1\n", invalid(2, "a tab is used for indentation; use blanks")],
  [
    "two colons",
    "a: b: c",
    invalid(1, "a second `key:` on this line; indent it below, or put the value in quotes"),
  ],
  [
    "a backslash",
    'sqlite: "C:\\data"',
    invalid(
      1,
      "unknown escape in a text in double quotes; a backslash is written \\\\ there, or use single quotes",
    ),
  ],
  [
    "a custom tag",
    "a: 1\nb: !secret x",
    invalid(2, "tags (!name) are not allowed; put quotes around a text that begins with !"),
  ],
  [
    "a tag that other parsers run",
    "a: !!js/function 'x'",
    invalid(1, "tags (!name) are not allowed; put quotes around a text that begins with !"),
  ],
  ["a key that is a list", "? [a]\n: b", invalid(1, "a key must be plain text")],
  [
    "a second document",
    "a: 1\n---\nb: 2",
    `configuration file: holds more than one YAML document; keep one (${CONFIG}:2)`,
  ],
  ["a text", "sqlite=a.db", `configuration file: must hold keys and values (\`key: value\`) (${CONFIG}:1)`],
  ["a list", "- a", `configuration file: must hold keys and values (\`key: value\`) (${CONFIG}:1)`],
  ["__proto__", "__proto__: {interval: 1}", `__proto__: is not allowed as a key (${CONFIG}:1)`],
  [
    "__proto__ deep down",
    "emergency:\n  filter:\n    __proto__: 1",
    `emergency.filter.__proto__: is not allowed as a key (${CONFIG}:3)`,
  ],
  [
    "a duplicate",
    "interval: 1\nnode_id: n\ninterval: 2",
    `interval: is there twice; the first is on line 1 (${CONFIG}:3)`,
  ],
  ["a merge key", "a: &a {interval: 1}\n<<: *a", `a: is not a setting (${CONFIG}:1)`],
  [
    "an alias of nothing",
    "node_id: *x",
    `node_id: is an alias (*name) of an anchor that is not there; put quotes around a text that begins with * (${CONFIG}:1)`,
  ],
  [
    "an integer beyond 2^53",
    "emergency:\n  filter: {id: 9007199254740993}",
    `emergency.filter.id: is a whole number beyond 2^53, which cannot be kept exactly; put quotes around it if it is a text (${CONFIG}:2)`,
  ],
  [
    "an alias bomb",
    bomb,
    `configuration file: stands for more than 20000 values, or nests too deep, once its aliases are followed (${CONFIG}:5)`,
  ],
  [
    "an alias of itself",
    "a: &a [*a]",
    `configuration file: stands for more than 20000 values, or nests too deep, once its aliases are followed (${CONFIG}:1)`,
  ],
  [
    "too many values",
    Array(21 * KIB)
      .fill("- a")
      .join("\n"),
    `configuration file: stands for more than 20000 values, or nests too deep, once its aliases are followed (${CONFIG}:20000)`,
  ],
  [
    "a huge file",
    `a: ${"x".repeat(300 * KIB)}`,
    `configuration file: is larger than 256 KiB, too much for a configuration (${CONFIG})`,
  ],
  ["deep lists", "[".repeat(50 * KIB), `configuration file: is nested deeper than 64 levels (${CONFIG}:1)`],
  [
    "deep mappings",
    "{a: ".repeat(50 * KIB),
    `configuration file: is nested deeper than 64 levels (${CONFIG}:1)`,
  ],
  [
    "deep block lists",
    "- ".repeat(100 * KIB),
    `configuration file: is nested deeper than 64 levels (${CONFIG}:1)`,
  ],
  ["deep keys", "? ".repeat(100 * KIB), `configuration file: is nested deeper than 64 levels (${CONFIG}:1)`],
])("%s ends in a clear error", (_name, yaml, line) => {
  expect(problemsOf({ yaml })[0]).toBe(line);
});

test("what can be read beside it is checked too", () => {
  const yaml =
    "interval: 1\ninterval: 2\nnode_id: 5\nmax_batch_size: 99999999999999999999\n__proto__: 1\nx: 1";
  expect(problemsOf({ yaml })).toEqual([
    `interval: is there twice; the first is on line 1 (${CONFIG}:2)`,
    expect.stringMatching(/^max_batch_size: is a whole number beyond 2\^53/),
    `__proto__: is not allowed as a key (${CONFIG}:5)`,
    `x: is not a setting (${CONFIG}:6)`,
    expect.stringMatching(/^node_id: must be a name for this machine, not 5/),
    expect.stringMatching(/^max_batch_size: must be a whole number from 1 to 100000000/),
  ]);
});

test("a prototype is not changed", () => {
  problemsOf({ yaml: "__proto__: {polluted: 1}\nconstructor: {prototype: {polluted: 1}}" });
  expect({}).not.toHaveProperty("polluted");
});

test("the parser's own words, which repeat the file, are not used", () => {
  const yaml = "interval: 1\naws_secret_access_key: [hunter2 hunter2: {\n  hunter2\n";
  const problems = problemsOf({ yaml });
  expect(problems.length).toBeGreaterThan(0);
  expect(problems.join("\n")).not.toContain("hunter2");
});

test("what is not text is named", () => {
  const files = { [CONFIG]: Uint8Array.of(0x61, 0xff, 0xfe) };
  expect(problemsOf({ files })).toEqual([`configuration file: is not text in UTF-8 (${CONFIG})`]);
});

test("a byte order mark and Windows line ends are taken", () => {
  expect(problemsOf({ yaml: "\ufeffinterval: 1\r\nnode_id: n\r\n" })).toEqual([]);
});

test("what is named and cannot be read is named, with what else is wrong; what only that file could set is not missing", () => {
  const given = { argv: { config: "gone.yaml", interval: "x" } };
  const load = () => loadSettings({ ...given, env: {}, cwd: "/", hostname: "h" });
  expect(problemsOf({}, load)).toEqual([
    "configuration file: there is no such file (/gone.yaml)",
    'interval: must be a number from 0.1 to 86400, not "x" (flag --interval)',
  ]);
});

test("folders and devices do not hang or crash it", () => {
  const folder = mkdtempSync(join(tmpdir(), "config-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const load = (path: string) => () =>
    loadSettings({ argv: { config: path, directory: "x" }, env: {}, cwd: folder, hostname: "h" });
  expect(problemsOf({}, load("."))).toEqual([`configuration file: is a folder, not a file (${folder})`]);
  expect(problemsOf({}, load("/dev/zero"))).toEqual([
    "configuration file: is larger than 256 KiB, too much for a configuration (/dev/zero)",
  ]);
  expect(problemsOf({}, load("/dev/null/x"))).toEqual([
    "configuration file: there is no such file (/dev/null/x)",
  ]);
});
