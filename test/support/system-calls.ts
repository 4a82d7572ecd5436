import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { temporaryFolder } from "./temporary-folder.ts";

/** A system call that succeeded. Times are numbers of lines: it has not begun before `start`, and is over at `end`. */
export interface Call {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  /** Of its names, or of its file descriptor. */
  readonly paths: readonly string[];
  readonly mayCreate: boolean;
}

const CREATING = "openat,mkdir,mkdirat,link,linkat,rename,renameat,renameat2,unlink,unlinkat";
const WRITING = "write,pwrite64,writev,pwritev,ftruncate,fsync,fdatasync";

/** Why this machine does not tell what a process asks of the operating system, or null. */
export function whyNoTrace(): string | null {
  return spawnSync("strace", ["-f", "-o", "/dev/null", "true"]).status === 0
    ? null
    : "strace is not installed, or may not look at processes";
}

/** Runs the built uploader to its end, and gives back what it asked of the file system. */
export async function traceUploader(
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): Promise<{ readonly code: number | null; readonly calls: readonly Call[] }> {
  const { PATH = "", HOME = "" } = process.env;
  const output = join(temporaryFolder(), "trace");
  const program = join(import.meta.dirname, "../../dist/src/cli/uploader.js");
  const options = [
    "-f",
    "-y",
    "-s",
    "0",
    "-e",
    `trace=${CREATING},${WRITING}`,
    "-e",
    "signal=none",
    "-o",
    output,
  ];
  const child = spawn("strace", [...options, process.execPath, program, ...args], {
    ...{ cwd, env: { PATH, HOME, ...env }, stdio: "ignore" },
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, calls: parseTrace(readFileSync(output, "utf8"), cwd) };
}

/** strace writes a call that another thread's comes between in two lines. */
function parseTrace(text: string, cwd: string): Call[] {
  const begun = new Map<string, { readonly start: number; readonly args: string }>();
  return text.split("\n").flatMap((line, index): Call[] => {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const unfinished = /^\w+\((.*) <unfinished \.\.\.>$/.exec(rest);
    if (unfinished) begun.set(thread, { start: index, args: unfinished[1] as string });
    const ended = /^(?:<\.\.\. )?(\w+)(?: resumed>|\()(.*)\) += (\d+)/.exec(rest);
    if (!ended) return [];
    const [, name = "", args = ""] = ended;
    const before = rest.startsWith("<...") ? begun.get(thread) : undefined;
    const all = `${before?.args ?? ""}${args}`;
    const named = [...all.matchAll(/"((?:[^"\\]|\\.)+)"/g)].map(([, path]) => resolve(cwd, path as string));
    const descriptor = /^\d+<([^>]*)>/.exec(all)?.[1];
    const paths = named.length > 0 ? named : descriptor === undefined ? [] : [descriptor];
    return [{ name, start: before?.start ?? index, end: index, paths, mayCreate: all.includes("O_CREAT") }];
  });
}

interface Contents {
  written: number;
  readonly syncs: Call[];
}

/**
 * What of a path a loss of power may take, if it comes just before `moment`: its contents, or a name on the way to it.
 * What was there before the trace began is durable. POSIX promises no more than this: of a file what was written
 * before its fsync began, of a folder the names that were made before its own.
 */
export function lostAt(calls: readonly Call[], path: string, moment = Number.POSITIVE_INFINITY): string[] {
  const contents = new Map<string, Contents>();
  const made = new Map<string, number>();
  const folderSyncs: Call[] = [];
  const contentsOf = (of: string) => {
    const known = contents.get(of) ?? { written: -1, syncs: [] };
    contents.set(of, known);
    return known;
  };
  for (const call of calls.filter(({ end }) => end < moment)) {
    const [from = "", to = ""] = call.paths;
    if (call.name === "openat" && call.mayCreate && !contents.has(from)) {
      contentsOf(from);
      made.set(from, call.end);
    }
    if (call.name.startsWith("mkdir")) made.set(from, call.end);
    if (/^(link|rename)/.test(call.name)) {
      contents.set(to, contentsOf(from));
      made.set(to, call.end);
    }
    if (/^(rename|unlink)/.test(call.name)) {
      contents.delete(from);
      made.delete(from);
    }
    if (/write|truncate/.test(call.name)) contentsOf(from).written = call.end;
    if (/sync/.test(call.name)) {
      contentsOf(from).syncs.push(call);
      folderSyncs.push(call);
    }
  }
  const { written, syncs } = contentsOf(path);
  const lost = written < 0 || syncs.some(({ start }) => start > written) ? [] : [`contents of ${path}`];
  for (let name = path; name !== dirname(name); name = dirname(name)) {
    const at = made.get(name);
    const isSynced = folderSyncs.some(({ paths, start }) => paths[0] === dirname(name) && start > (at ?? -1));
    if (at !== undefined && !isSynced) lost.push(`name of ${name}`);
  }
  return lost;
}
