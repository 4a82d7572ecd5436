import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PEERS } from "./places.ts";

const VENV = join(import.meta.dirname, ".venv");
const REQUIREMENTS = join(PEERS, "requirements.txt");
/** The requirements that the environment was made of, written when it is complete. */
const INSTALLED = join(VENV, "requirements.txt");

/**
 * Makes bench/.venv of peers/requirements.txt, unless it is there.
 *
 * @returns the path of its interpreter
 * @throws where Python is missing or too old, or a package cannot be had
 */
export function preparePython(say: (text: string) => void): string {
  const python = join(VENV, "bin", "python");
  const wanted = readFileSync(REQUIREMENTS, "utf8");
  if (existsSync(INSTALLED) && readFileSync(INSTALLED, "utf8") === wanted) return python;

  requirePython();
  say("installs the peers in bench/.venv");
  rmSync(VENV, { recursive: true, force: true });
  run("python3", ["-m", "venv", VENV], "venv is missing (Debian: apt install python3-venv)");
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"];
  run(python, [...pip, "-r", REQUIREMENTS], "PyPI cannot be reached, or has no wheels for this machine");
  writeFileSync(INSTALLED, wanted);
  return python;
}

/** The pinned packages, `name==version`. */
export function pinnedPackages(): string[] {
  return readFileSync(REQUIREMENTS, "utf8")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
}

function requirePython(): void {
  const isRecent = "import sys; sys.exit(sys.version_info < (3, 11))";
  try {
    execFileSync("python3", ["-c", isRecent], { stdio: "ignore" });
  } catch {
    throw new Error(
      "The benchmark needs python3, 3.11 or later, on the PATH for the programs it compares with; install it and run again.",
    );
  }
}

function run(command: string, args: readonly string[], likelyCause: string): void {
  try {
    execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  } catch (cause) {
    const { stderr = "" } = cause as { stderr?: string };
    throw new Error(
      `${command} ${args.join(" ")} failed; most likely ${likelyCause}:\n${stderr.slice(-2_000)}`,
      { cause },
    );
  }
}
