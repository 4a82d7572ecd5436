/**
 * A program that takes CPU time every half second, with the priority of an uploader, and neither reads nor writes
 * anything: what it costs the sensor is what the machine makes of any process beside it.
 *
 * Argument: the share of one CPU.
 */
import { constants, setPriority } from "node:os";

const PERIOD_MS = 500;

setPriority(constants.priority.PRIORITY_BELOW_NORMAL);

const busyMs = Number(process.argv[2]) * PERIOD_MS;
for (;;) {
  const began = performance.now();
  while (performance.now() - began < busyMs);
  await new Promise((resolve) => setTimeout(resolve, PERIOD_MS - busyMs));
}
