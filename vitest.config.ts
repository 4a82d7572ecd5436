import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take long, the longest first. By size, which is what vitest goes by, most of these would come last, and
 * the others be over long before them.
 */
const LONG = [
  ...["slow-network", "two-of-everything", "strangers", "backlog", "steps-s3", "steps-directory"],
  ...["network", "source-running", "power-loss", "power-loss-commands", "random-kills", "short-soak"],
  ...["damaged-state", "unfinished", "clock"],
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
