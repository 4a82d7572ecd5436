import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take long, the longest first. By size, which is what vitest goes by, most of these would come last, and
 * the others be over long before them.
 */
const LONG = [
  // The second needs a core of its own for its uploader, whose priority is low, and the first needs next to none.
  ...["slow-network", "short-soak", "two-of-everything", "strangers", "backlog", "source-running"],
  ...["network", "steps-s3", "steps-directory", "random-kills", "power-loss", "damaged-state"],
  ...["unfinished", "full-disk", "power-loss-commands"],
].map((name) => `/test/faults/${name}.test.ts`);

class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONG.findIndex((name) => moduleId.endsWith(name));
      return at < 0 ? LONG.length : at;
    };
    return (await super.sort(files)).sort((one, other) => rank(one) - rank(other));
  }
}

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/build.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // One more than two cores, which would stand idle while files wait for the disk or a slow network.
    maxWorkers: 3,
    sequence: { sequencer: LongFilesFirst },
  },
});
