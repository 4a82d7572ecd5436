import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Contestant, Job } from "./contestants.ts";
import { endOfLog } from "./uploader-command.ts";

const MEASURE = join(import.meta.dirname, "measure.py");

/** What one process cost, from its start to its end. */
export interface Measured {
  readonly wallSeconds: number;
  /** User and system time of all its threads. */
  readonly cpuSeconds: number;
  /** The largest resident set. */
  readonly peakBytes: number;
}

/**
 * Runs a contestant once, as a process of its own.
 *
 * @throws where it does not end well, with the end of what it said
 */
export function measureRun(contestant: Contestant, job: Job): Measured {
  const report = join(job.folder, "report.json");
  const log = join(job.folder, "output.log");
  // What was written before must not be written back at this run's expense.
  execFileSync("sync");
  execFileSync(job.python, ["-I", MEASURE, report, log, ...contestant.command(job)], {
    cwd: job.folder,
    env: contestant.environment(job),
    stdio: ["ignore", "ignore", "inherit"],
  });
  const { exitCode, ...measured } = JSON.parse(readFileSync(report, "utf8")) as Measured & {
    readonly exitCode: number;
  };
  if (exitCode !== 0) throw new Error(`${contestant.name} ended with ${exitCode}:\n${endOfLog(log)}`);
  return measured;
}
