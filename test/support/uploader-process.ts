import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { afterAll } from "vitest";

const REPOSITORY = join(import.meta.dirname, "../..");

/** By the file that imports this, not by the test: concurrent tests must not end each other's processes. */
const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) child.kill("SIGKILL");
});

export type Program = "uploader" | "pipeline-manager";

export interface Finished {
  /** null where a signal ended it */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly process: ChildProcess;
  /** Standard output so far. */
  output(): string;
  /** Resolves when standard output matches; rejects when the process ends before that. */
  untilOutput(pattern: RegExp): Promise<void>;
  readonly finished: Promise<Finished>;
}

export interface ProgramOptions {
  readonly cwd?: string;
  /** Added to an environment that has nothing but PATH, HOME and TMPDIR, so that no setting leaks in. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts one of the built programs; it is killed when the test file ends, if it still runs. */
export function startProgram(
  program: Program,
  args: readonly string[],
  options: ProgramOptions = {},
): Running {
  const { PATH = "", HOME = "", TMPDIR = "/tmp" } = process.env;
  const child = spawn(process.execPath, [join(REPOSITORY, "dist/src/cli", `${program}.js`), ...args], {
    cwd: options.cwd ?? TMPDIR,
    env: { PATH, HOME, TMPDIR, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => resolve({ code, signal, stdout, stderr }));
  });
  running.add(child);
  child.on("close", () => running.delete(child));
  return {
    process: child,
    output: () => stdout,
    untilOutput: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (!pattern.test(stdout)) return;
          child.stdout.off("data", look);
          resolve();
        };
        child.stdout.on("data", look);
        look();
        finished.then(() => reject(new Error(`ended before ${pattern}:\n${stdout}\n${stderr}`)), reject);
      }),
    finished,
  };
}

/** Runs one of the built programs to its end. */
export function runProgram(
  program: Program,
  args: readonly string[],
  options?: ProgramOptions,
): Promise<Finished> {
  return startProgram(program, args, options).finished;
}
