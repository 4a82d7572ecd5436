import { describeError, UploaderError } from "../../src/core/errors.ts";
import type { CleanRun } from "../support/invariants.ts";
import { type LogLine, uploadOnce } from "../support/run-in-process.ts";
import { type Running, startProgram } from "../support/uploader-process.ts";
import type { Flags, Here } from "./campaign.ts";

/** The ways in which the uploader of one machine is run. */
export interface UploaderRuns {
  start(args: readonly string[], env?: Readonly<Record<string, string>>): Running;
  /** `--once`, as a process. */
  runProcess(flags?: Flags): Promise<CleanRun>;
  /** As another process does it, but sooner. */
  runHere(flags?: Flags, here?: Here): Promise<CleanRun>;
  /** All that these have printed. */
  readonly printed: readonly string[];
}

export interface UploaderRunsOptions {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
  /** Flags of every run. */
  readonly argv: Readonly<Record<string, string>>;
  /** Called in the process of the test, just after each extraction. */
  readonly onExtracted: () => void;
}

export function createUploaderRuns({ cwd, env, argv, onExtracted }: UploaderRunsOptions): UploaderRuns {
  const printed: string[] = [];
  const start: UploaderRuns["start"] = (args, more = {}) => {
    const running = startProgram("uploader", args, { cwd, env: { ...env, ...more } });
    running.finished.then(({ stdout, stderr }) => printed.push(stdout, stderr));
    return running;
  };
  return {
    printed,
    start,
    async runProcess(flags = {}) {
      const args = Object.entries({ ...argv, ...flags }).map(([name, value]) => `--${name}=${value}`);
      const { code, stdout, stderr } = await start([...args, "--once"]).finished;
      return { code, printed: stdout + stderr };
    },
    async runHere(flags = {}, here = {}) {
      const lines: string[] = [];
      const onLog = (line: LogLine) => lines.push(JSON.stringify(line));
      const options = {
        argv: { ...argv, ...flags },
        env,
        cwd,
        onLog,
        progress: { extracted: onExtracted },
        ...here,
      };
      const code = await uploadOnce(options).catch((error: unknown) => {
        lines.push(describeError(error));
        return error instanceof UploaderError ? error.exitCode : 1;
      });
      printed.push(...lines);
      return { code, printed: lines.join("\n") };
    },
  };
}
