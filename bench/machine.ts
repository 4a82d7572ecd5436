import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { availableParallelism, cpus, release, totalmem, type } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { findPackage } from "../src/package-root.ts";
import { DATA, ROOT } from "./places.ts";
import { pinnedPackages } from "./python-environment.ts";

/** The targets are for so many. */
const CORES = 2;

/** @throws where the benchmark cannot run on this machine */
export function requireLinux(): void {
  if (process.platform !== "linux")
    throw new Error("The benchmark reads /proc and needs Linux; run it in a container or a virtual machine.");
}

/** Lets this process and those that it starts run on two cores alone, where there are more. */
export function limitCores(): void {
  if (availableParallelism() <= CORES) return;
  const list = /^Cpus_allowed_list:\s+(.+)$/m.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "";
  const allowed = list.split(",").flatMap((range) => {
    const [first = 0, last = first] = range.split("-").map(Number);
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
  const chosen = allowed.slice(0, CORES).join(",");
  execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", chosen, String(process.pid)]);
}

/** What the results depend on: name and value. */
export function describeMachine(python: string): [name: string, value: string][] {
  return [
    ["machine", `${cpus()[0]?.model.trim()}, ${Math.min(CORES, cpus().length)} of ${cpus().length} cores`],
    ["memory", `${(totalmem() / 1e9).toFixed(1)} GB`],
    ["system", `${type()} ${release()}, ${process.arch}; file system ${fileSystem()}`],
    ["uploader", `${findPackage().version}, commit ${commit()}`],
    ["Node.js", `${process.version}, SQLite ${sqliteVersion()}`],
    ["Python", output(python, ["-c", "import platform; print(platform.python_version())"])],
    ["versitygw", versitygwVersion()],
    ["packages", pinnedPackages().join(", ")],
  ];
}

/** All that the figures come from; RESULTS.md is what a run before this one wrote. */
const MEASURED = ["src", "native", "sample-sensor", "scripts", "bench", "package.json", "package-lock.json"];

function commit(): string {
  const revision = output("git", ["rev-parse", "--short", "HEAD"]);
  const paths = [...MEASURED, ":(exclude)bench/RESULTS.md"];
  const changed = output("git", ["status", "--porcelain", "--", ...paths]);
  return changed === "" ? revision : `${revision} with changes that are not committed`;
}

function sqliteVersion(): string {
  const db = new Database(":memory:");
  const version = db.prepare("SELECT sqlite_version()").pluck().get() as string;
  db.close();
  return version;
}

/** The one that the tests use. */
function versitygwVersion(): string {
  const script = readFileSync(join(ROOT, "scripts", "setup-test-tools.sh"), "utf8");
  return /^VERSITYGW_VERSION=(.+)$/m.exec(script)?.[1] ?? "unknown";
}

function fileSystem(): string {
  return output("stat", ["--file-system", "--format=%T", DATA]);
}

function output(command: string, args: readonly string[]): string {
  try {
    return execFileSync(command, args, {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}
