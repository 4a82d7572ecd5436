import { execFileSync, spawnSync } from "node:child_process";
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, it } from "vitest";
import { loadColumnarExtension } from "../../src/sqlite/columnar-extension.ts";
import type { Connection } from "../../src/sqlite/open.ts";

export const ROOT = join(import.meta.dirname, "../..");

/**
 * A suite that needs a C compiler, and what else `needs` names: options that it has to know. Where it cannot run
 * it is skipped, and named in the file UPLOADER_TEST_SKIPPED for the last lines of scripts/test.sh; with CI=true
 * it fails.
 */
export function nativeSuite(title: string, define: (compiler: string) => void, needs: string[] = []): void {
  const compiler = [process.env.CC || "cc", "gcc", "clang"].find((command) => compiles(command, []));
  const missing = whyMissing(compiler, needs);
  if (missing !== null && process.env.CI === "true") {
    it(`${title}: runs`, () => {
      throw new Error(missing);
    });
    return;
  }
  if (missing !== null && process.env.UPLOADER_TEST_SKIPPED)
    appendFileSync(process.env.UPLOADER_TEST_SKIPPED, `${title}: ${missing}\n`);
  describe.skipIf(missing !== null)(title, () => {
    beforeAll(() => {
      delete process.env.UPLOADER_NATIVE; // which may be off for all other tests
      execFileSync(process.execPath, [join(ROOT, "scripts/build-native.js")], { stdio: "inherit" });
    });
    define(compiler as string);
  });
}

function whyMissing(compiler: string | undefined, needs: string[]): string | null {
  if (compiler === undefined) return "there is no C compiler (CC, cc, gcc, clang)";
  return compiles(compiler, needs) ? null : `${compiler} cannot do ${needs.join(" ")}`;
}

/** Whether it makes a program, with these options, of the least there is. */
function compiles(compiler: string, options: string[]): boolean {
  const { status } = spawnSync(compiler, [...options, "-x", "c", "-", "-o", "/dev/null"], {
    input: "int main(void) { return 0; }",
  });
  return status === 0;
}

/** Loads the extension, or throws why not. */
export function loadNative(db: Connection): void {
  loadColumnarExtension(db, (reason) => {
    throw new Error(reason);
  });
}
