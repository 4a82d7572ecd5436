import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const text = readFileSync(join(ROOT, "docs/GUARANTEES.md"), "utf8");

/** `` `test/….ts`: how the name begins ``, up to the end of the cell or the parenthesis, or the next one's `;`. */
const NAMED = /`(?<file>test\/[^`]+\.ts)`: (?<name>[^|)\n;]+(?:\([^)]*\)[^|)\n;]*)*)/g;

const named = [...text.matchAll(NAMED)].map(({ groups }) => [
  (groups?.name ?? "").trim(),
  groups?.file ?? "",
]);

const security = readFileSync(join(ROOT, "docs/SECURITY.md"), "utf8");
/** `` `test/….ts` ``, some with how a name begins, or that of its suite: `` `test/….ts`: "…" ``. */
const ofSecurity = [...security.matchAll(/`(?<file>test\/[^`]+\.ts)`(?:: "(?<name>[^"]+)")?/g)].map(
  ({ groups }) => [groups?.name ?? "", groups?.file ?? ""],
);

test("docs/GUARANTEES.md names a test for each promise", () => {
  const promises = text.split("\n").filter((line) => /^\| [A-Z].*\|$/.test(line) && !line.startsWith("| I"));
  expect(promises.length).toBeGreaterThan(25);
  for (const promise of promises) expect(promise).toMatch(/`test\/[^`]+\.ts`: /);
  expect(named.length).toBeGreaterThan(promises.length);
});

test("docs/SECURITY.md names a test, or a script, for each threat", () => {
  const [, ...threats] = security
    .split("\n")
    .filter((line) => /^\| [a-z]/.test(line) && line.split("|").length === 5);
  expect(threats.length).toBeGreaterThan(10);
  for (const threat of threats) expect(threat.split("|")[3]).toMatch(/`(test|scripts)\/[^`]+`/);
});

test.each([...named, ...ofSecurity])("a test begins with %s (%s)", (name, file) => {
  expect(existsSync(join(ROOT, file)), file).toBe(true);
  const source = readFileSync(join(ROOT, file), "utf8");
  const isThere = ['"', "`", "'"].some((quote) => source.includes(`${quote}${name}`));
  expect(isThere, `${file} has a test whose name begins with ${name}`).toBe(true);
});

test("npm run test:faults runs the folder of each of them", () => {
  const script = readFileSync(join(ROOT, "scripts/test-faults.sh"), "utf8");
  const folders = /^named=\((.*)\)$/m.exec(script)?.[1]?.split(" ");
  const folderOf = (file = "") => file.split("/")[1];
  const files = [...named, ...ofSecurity].map(([, file]) => folderOf(file));
  expect(folders).toEqual(expect.arrayContaining(files));
});
