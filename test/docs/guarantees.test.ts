import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const text = readFileSync(join(ROOT, "docs/GUARANTEES.md"), "utf8");

/** `` `test/….ts`: how the name begins ``, up to the end of the cell or the parenthesis. */
const NAMED = /`(?<file>test\/[^`]+\.ts)`: (?<name>[^|)\n]+(?:\([^)]*\)[^|)\n]*)*)/g;

const named = [...text.matchAll(NAMED)].map(({ groups }) => [
  (groups?.name ?? "").trim(),
  groups?.file ?? "",
]);

test("docs/GUARANTEES.md names a test for each promise", () => {
  const promises = text.split("\n").filter((line) => /^\| [A-Z].*\|$/.test(line) && !line.startsWith("| I"));
  expect(promises.length).toBeGreaterThan(25);
  for (const promise of promises) expect(promise).toMatch(/`test\/[^`]+\.ts`: /);
  expect(named.length).toBeGreaterThan(promises.length);
});

test.each(named)("a test begins with %s", (name, file) => {
  expect(existsSync(join(ROOT, file)), file).toBe(true);
  const source = readFileSync(join(ROOT, file), "utf8");
  const isThere = ['"', "`", "'"].some((quote) => source.includes(`${quote}${name}`));
  expect(isThere, `${file} has a test whose name begins with ${name}`).toBe(true);
});

test("npm run test:faults runs the folder of each of them", () => {
  const script = readFileSync(join(ROOT, "scripts/test-faults.sh"), "utf8");
  const folders = /^named=\((.*)\)$/m.exec(script)?.[1]?.split(" ");
  const folderOf = (file = "") => file.split("/")[1];
  expect(folders).toEqual(expect.arrayContaining(named.map(([, file]) => folderOf(file))));
});
