import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const document = readFileSync(join(ROOT, "docs/OPERATIONS.md"), "utf8");

/** Each line of the tables under "Troubleshooting": its message, as quoted. */
const messages = document
  .slice(document.indexOf("## Troubleshooting by symptom"))
  .split("\n")
  .flatMap((line) => /^\| `(?<message>[^`]+)` \|/.exec(line)?.groups?.message ?? []);

const sources = readdirSync(join(ROOT, "src"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => readFileSync(join(ROOT, "src", name), "utf8"));

test("docs/OPERATIONS.md quotes messages", () => {
  expect(messages.length).toBeGreaterThan(25);
});

test.each(messages)("%s is a message of the sources", (message) => {
  const parts = message.split("…").map((part) =>
    part
      .trim()
      .replace(/^[;:,(]+|[(]+$/g, "")
      .trim(),
  );
  const words = parts.filter((part) => /\w{3}/.test(part));
  expect(words.length).toBeGreaterThan(0);
  // The parts of one message stand in one file, in this order, with nothing but code between them.
  const isThere = sources.some((source) => {
    let at = -1;
    return words.every((part) => {
      at = source.indexOf(part, at + 1);
      return at >= 0;
    });
  });
  expect(isThere, words.join(" … ")).toBe(true);
});

const DOCUMENTS = [
  "CONTRIBUTING.md",
  "README.md",
  "docs/AWS.md",
  "docs/CONTAINERS.md",
  "docs/DATABASE.md",
  "docs/EXTENDING.md",
  "docs/OPERATIONS.md",
  "docs/SPOT.md",
  "docs/TESTING.md",
  "deploy/systemd/README.md",
  "deploy/bacalhau/README.md",
];

test.each(DOCUMENTS)("%s names files, links and npm scripts that are there", (name) => {
  const text = readFileSync(join(ROOT, name), "utf8");
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const [, script = ""] of text.matchAll(/npm run (?:--silent )?([\w:-]+)/g))
    expect(scripts).toHaveProperty([script]);
  for (const [, link = ""] of text.matchAll(/\]\((?!https?:)([^)#\s]+)[^)]*\)/g))
    expect(existsSync(join(ROOT, dirname(name), link)), link).toBe(true);
  for (const [path] of text.matchAll(
    /\b(?:scripts|test|deploy|docs|src|databricks)\/[\w./-]+\.(?:sh|ts|py|yaml|conf|md|service|patch)\b/g,
  ))
    if (!/transformations\.ts|slim\.ts/.test(path)) expect(existsSync(join(ROOT, path)), path).toBe(true);
});
