import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take long, about the longest first. By their size, which is what vitest goes by, many of these would come
 * last, one after the other, with nothing left to run beside them.
 */
const LONG = [
  // The first waits for two minutes, and beside it one begins whose uploader, of low priority, needs a core for itself.
  ...["faults/slow-network", "faults/short-soak", "faults/two-of-everything"],
  ...["faults/strangers", "faults/backlog", "faults/source-running", "faults/network", "e2e/kill"],
  ...["faults/steps-s3", "faults/steps-directory", "faults/random-kills", "faults/power-loss"],
  ...["faults/damaged-state", "faults/unfinished", "native/sanitized", "spot/drain", "e2e/concurrency"],
  ...["rebuild/command", "faults/full-disk", "faults/power-loss-commands"],
  ...["scripts/spot/create", "scripts/spot/destroy", "scripts/pipeline/check-pipeline"],
].map((name) => `/test/${name}.test.ts`);

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
    // Far beyond what a test takes: beside three workers an uploader of low priority has little of two cores.
    testTimeout: 180_000,
    hookTimeout: 120_000,
    // One more than two cores, which would stand idle while files wait for the disk or a slow network.
    maxWorkers: 3,
    sequence: { sequencer: LongFilesFirst },
  },
});
