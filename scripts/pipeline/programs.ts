import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "../..");

export type Program = "sensor" | "uploader" | "pipeline-manager";

export interface Programs {
  /** Runs one to its end; gives back what it prints. */
  run(program: Program, args: readonly string[]): string;
  /** Starts one in the background, its log in `{folder}/{program}.log`. */
  start(program: Program, args: readonly string[]): ChildProcess;
  /** By SIGTERM, and waits for its end. */
  stop(child: ChildProcess): Promise<void>;
}

/** The built programs; those that still run are killed when this process ends, whatever ends it. */
export function openPrograms(folder: string, env: NodeJS.ProcessEnv = process.env): Programs {
  const children: ChildProcess[] = [];
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));
  process.once("exit", () => {
    for (const child of children) child.kill("SIGKILL");
  });
  return {
    run: (program, args) =>
      execFileSync(process.execPath, [pathOf(program), ...args], { encoding: "utf8", env }).trimEnd(),
    start(program, args) {
      const child = spawn(process.execPath, [pathOf(program), ...args], {
        env,
        stdio: ["ignore", "pipe", "pipe"],
      });
      const log = join(folder, `${program}.log`);
      for (const stream of [child.stdout, child.stderr])
        stream.on("data", (chunk) => writeFileSync(log, chunk, { flag: "a" }));
      children.push(child);
      return child;
    },
    async stop(child) {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      if (child.exitCode === null && child.kill("SIGTERM")) await ended;
    },
  };
}

function pathOf(program: Program): string {
  const { bin } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  return join(ROOT, bin[program]);
}
