import { appendFileSync } from "node:fs";
import { describe, it } from "vitest";

/**
 * A suite that needs something of the machine. Where it is missing the suite is skipped, and named in the file
 * UPLOADER_TEST_SKIPPED for the last lines of scripts/test.sh; with CI=true it fails.
 *
 * @param missing why it cannot run; null: it can
 */
export function suiteWith(missing: string | null, title: string, define: () => void): void {
  if (missing !== null && process.env.CI === "true") {
    it(`${title}: runs`, () => {
      throw new Error(missing);
    });
    return;
  }
  if (missing !== null && process.env.UPLOADER_TEST_SKIPPED)
    appendFileSync(process.env.UPLOADER_TEST_SKIPPED, `${title}: ${missing}\n`);
  describe.skipIf(missing !== null)(title, define);
}
