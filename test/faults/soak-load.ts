import { lowerPriority } from "../../src/cli/low-priority.ts";

/**
 * A program that takes CPU time as an uploader does, with its priority and every half second, and neither reads nor
 * writes anything: what it costs the sensor is what the machine makes of any process beside it.
 *
 * Argument: the share of one CPU.
 */
const PERIOD_MS = 500;

lowerPriority();
const busyMs = Number(process.argv[2]) * PERIOD_MS;
for (;;) {
  const began = performance.now();
  while (performance.now() - began < busyMs);
  await new Promise((resolve) => setTimeout(resolve, PERIOD_MS - busyMs));
}
