import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";

const MODULE = join(import.meta.dirname, "../../src/cli/program.ts");

/** The exit code of a program that does this, and what it says on standard error. */
function run(parse: string) {
  const program = `
    import { runProgram } from ${JSON.stringify(MODULE)};
    void runProgram("uploader", { parseAsync: ${parse} });`;
  const args = ["--import", import.meta.resolve("tsx"), "--input-type=module", "-e", program];
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  return [status, stderr.trim()];
}

test.each([
  ["ends", "async () => {}", 0, ""],
  ["fails", "async () => { throw new Error('the cable is out'); }", 1, /^uploader: .*the cable is out/],
  ["waits for what never comes", "() => new Promise(() => {})", 13, ""],
  ["ends by itself meanwhile", "() => process.exit(4)", 4, ""],
])("a program that %s has an exit code that says so", (_, parse, code, said) => {
  const [status, stderr] = run(parse);
  expect(status).toBe(code);
  expect(stderr).toEqual(said instanceof RegExp ? expect.stringMatching(said) : said);
});
