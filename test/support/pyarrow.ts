import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { appendFileSync, existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { afterAll } from "vitest";

const CACHE = process.env.UPLOADER_TEST_CACHE || join(homedir(), ".cache", "databricks-uploader");
const PYTHON = join(CACHE, "venv-pyarrow", "bin", "python");

interface Reader {
  readonly process: ChildProcessWithoutNullStreams;
  readonly answers: Interface;
}

/** One for each test file, since it takes Python longer to begin than to read. */
let reader: Reader | null = null;
let hasSaid = false;
afterAll(() => {
  reader?.process.stdin.end();
  reader = null;
});

/**
 * The row count of each file, or why it cannot be read; null where pyarrow is not installed, which is then
 * named in the file UPLOADER_TEST_SKIPPED and with CI=true is a failure.
 */
export async function readWithPyarrow(paths: readonly string[]): Promise<(number | string)[] | null> {
  if (!existsSync(PYTHON)) {
    const reason = `reading objects with pyarrow: ${PYTHON} is not installed`;
    if (process.env.CI === "true") throw new Error(`${reason}. Run scripts/setup-test-tools.sh.`);
    if (!hasSaid && process.env.UPLOADER_TEST_SKIPPED)
      appendFileSync(process.env.UPLOADER_TEST_SKIPPED, `${reason}\n`);
    hasSaid = true;
    return null;
  }
  if (paths.length === 0) return [];
  reader ??= startReader();
  const { process: child, answers } = reader;
  const answer = new Promise<string>((resolve, reject) => {
    answers.once("line", resolve);
    answers.once("close", () => reject(new Error("pyarrow's reader ended")));
  });
  child.stdin.write(`${JSON.stringify(paths)}\n`);
  return JSON.parse(await answer);
}

function startReader(): Reader {
  const child = spawn(PYTHON, [join(import.meta.dirname, "read-parquet.py")]);
  child.stderr.pipe(process.stderr);
  return { process: child, answers: createInterface(child.stdout).setMaxListeners(0) };
}
