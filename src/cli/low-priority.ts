import { readdirSync } from "node:fs";
import { constants, getPriority, setPriority } from "node:os";

/** nice 10: where there is too little CPU time, a tenth of what the sensor is given, and never nothing. */
const LOW_PRIORITY: number = constants.priority.PRIORITY_BELOW_NORMAL;

/**
 * Lets the sensor go first where both want the CPU. A process that has a lower priority already keeps it. Where the
 * system does not allow it, rows are shipped all the same.
 */
export function lowerPriority(priority = LOW_PRIORITY): void {
  try {
    for (const id of threads()) if (getPriority(id) < priority) setPriority(id, priority);
  } catch {
    // Nothing depends on it.
  }
}

/** On Linux each thread has a priority of its own, which those it starts later inherit; elsewhere the process has one. */
function threads(): readonly number[] {
  return process.platform === "linux" ? readdirSync("/proc/self/task").map(Number) : [process.pid];
}
