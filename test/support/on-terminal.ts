import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import type { Program } from "./uploader-process.ts";

/** Gives the program a terminal, passes on what it is told and what it prints, and ends with its code. */
const PTY = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))";

export function whyNoTerminal(): string | null {
  return spawnSync("python3", ["-c", "import pty"]).status === 0 ? null : "there is no Python with pty";
}

export interface Dialogue {
  readonly cwd: string;
  /** What is waited for. */
  readonly question: RegExp;
  /** What is typed then. */
  readonly answer: string;
}

/** Runs one of the built programs on a terminal, where it asks and is answered once. */
export async function runOnTerminal(
  program: Program,
  args: readonly string[],
  { cwd, question, answer }: Dialogue,
): Promise<{ readonly code: number | null; readonly printed: string }> {
  const { PATH = "", HOME = "" } = process.env;
  const path = join(import.meta.dirname, "../../dist/src/cli", `${program}.js`);
  const child = spawn("python3", ["-c", PTY, process.execPath, path, ...args], {
    cwd,
    env: { PATH, HOME, TERM: "dumb" },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const closed = once(child, "close");
  let printed = "";
  let isAnswered = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    printed += text;
    if (isAnswered || !question.test(printed)) return;
    isAnswered = true;
    child.stdin.write(answer);
  });
  const [code] = (await closed) as [number | null];
  return { code, printed: printed.replaceAll("\r\n", "\n") };
}
