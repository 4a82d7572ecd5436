import { spawnSync } from "node:child_process";
import { constants, getPriority } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { startVitest } from "vitest/node";
import { lowerPriority } from "../src/cli/low-priority.ts";

/**
 * `npm run soak -- --minutes 30 [--seed N]`: a sensor that writes 5,000 rows a second and deletes old ones, an
 * uploader that is killed again and again, a network that fails, and a pipeline type that changes, all at once; at the
 * end the checker of the fault campaign looks at every row. test/faults/soak.ts is what it does. It ends with 1 where
 * an invariant is violated, or, from ten minutes on, the p99 of the sensor's inserts in the windows with an uploader is
 * more than 10 % above that in the windows without one, which alternate with them. On a machine with other work beside
 * it one run may show nothing: the figures tell how far the writer alone differs from itself.
 */
const { values } = parseArgs({
  options: { minutes: { type: "string", default: "30" }, seed: { type: "string" } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) {
  process.stderr.write(`--minutes takes a number above 0, not ${values.minutes}.\n`);
  process.exit(2);
}

// Its own work, such as that of the proxy, comes after the sensor's, if it may start the sensor with a higher priority.
if (mayRaisePriority()) {
  process.env.SOAK_PROGRAMS_PRIORITY = String(getPriority());
  lowerPriority(constants.priority.PRIORITY_LOW);
}
process.env.SOAK_MINUTES = String(minutes);
if (values.seed !== undefined) process.env.TEST_SEED = values.seed;
const vitest = await startVitest("test", [], {
  root: join(import.meta.dirname, ".."),
  config: false,
  watch: false,
  include: ["test/faults/soak.ts"],
  globalSetup: ["test/support/build.ts"],
  testTimeout: 0,
  hookTimeout: 120_000,
  // The checker has every row of an episode in memory.
  execArgv: ["--max-old-space-size=8192"],
});
await vitest.close();

/** Tried by another process, since whoever may not cannot go back. */
function mayRaisePriority(): boolean {
  const program =
    "const os = require('node:os'), own = os.getPriority(); os.setPriority(19); os.setPriority(own)";
  return spawnSync(process.execPath, ["-e", program], { stdio: "ignore" }).status === 0;
}
