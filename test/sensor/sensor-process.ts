import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { onTestFinished, vi } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

export interface SensorProcess {
  readonly child: ChildProcess;
  /** Everything printed so far. */
  output(): string;
  /** Resolves when the output contains the text. */
  says(text: string): Promise<void>;
  /** The exit code, or the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

/** Runs the program itself, in a folder without a configuration file. */
export function startSensor(
  folder: string,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): SensorProcess {
  const child = spawn(process.execPath, [join(ROOT, "dist/sample-sensor/src/cli.js"), ...flags], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", ...env },
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  return {
    child,
    output: () => output,
    says: (text) =>
      vi.waitFor(
        () => {
          if (!output.includes(text)) throw new Error(`"${text}" was not said: ${output}`);
        },
        { timeout: 20_000, interval: 10 },
      ),
    ended: once(child, "close").then(([code, signal]) => code ?? signal),
  };
}
