import { existsSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { type StateDisk, stateDisk } from "../../src/outbox/state-disk.ts";
import { filesBelow } from "../support/lake-place.ts";

/** The files of a state folder, by their paths in it. */
export type Tree = ReadonlyMap<string, Buffer>;

/** What a command asked of the disk. Paths are those in the state folder, which is `.` itself. */
export interface NameStep {
  readonly kind: "make folder" | "write" | "link" | "rename" | "remove" | "sync folder";
  readonly path: string;
  /** Of a link or a rename. */
  readonly from?: string;
  readonly bytes?: Buffer;
  /** state.db as it was committed just before, for a command that has it open. */
  readonly state: Buffer | null;
}

export interface RecordedCommand {
  /** Before the first step. */
  readonly begin: Tree;
  readonly steps: readonly NameStep[];
  /** After the last. */
  readonly state: Buffer | null;
}

/** What may be left of a state folder. */
export interface CommandOutcome {
  /** Steps that were done. */
  readonly done: number;
  readonly tree: Tree;
}

export function treeOf(folder: string): Tree {
  return new Map(filesBelow(folder).map((path) => [path, readFileSync(join(folder, path))]));
}

/** Does what is asked, and records it. @param readState as in `NameStep.state` */
export function recordDisk(stateDir: string, readState: () => Buffer | null) {
  const steps: NameStep[] = [];
  let begin: Tree | undefined;
  const inFolder = (path: string) => relative(stateDir, path) || ".";
  function note(kind: NameStep["kind"], path: string, more: Pick<NameStep, "from" | "bytes"> = {}): void {
    begin ??= treeOf(stateDir);
    steps.push({ kind, path: inFolder(path), ...more, state: readState() });
  }
  const disk: StateDisk = {
    makeFolder(path) {
      if (!existsSync(path)) note("make folder", path);
      stateDisk.makeFolder(path);
    },
    async writeFile(path, text) {
      note("write", path, { bytes: Buffer.from(text) });
      await stateDisk.writeFile(path, text);
    },
    async link(from, to) {
      note("link", to, { from: inFolder(from) });
      await stateDisk.link(from, to);
    },
    rename(from, to) {
      note("rename", to, { from: inFolder(from) });
      stateDisk.rename(from, to);
    },
    remove(path) {
      note("remove", path);
      stateDisk.remove(path);
    },
    async syncFolder(path) {
      note("sync folder", path);
      await stateDisk.syncFolder(path);
    },
  };
  return {
    disk,
    recorded: (): RecordedCommand => ({ begin: begin ?? new Map(), steps, state: readState() }),
  };
}

/**
 * Every outcome that differs, wherever the power is cut: of the names that were not synced, each is kept or lost, and a
 * file in the making is torn. What SQLite has committed is kept.
 */
export function* outcomesOf({ begin, steps, state }: RecordedCommand): Generator<CommandOutcome> {
  const seen = new Set<string>();
  for (let done = 0; done <= steps.length; done++) {
    const before = steps.slice(0, done);
    const isPending = before.map((step, index) => !isDurable(step, before.slice(index + 1)));
    const pending = isPending.flatMap((is, index) =>
      is && before[index]?.kind !== "sync folder" ? [index] : [],
    );
    for (let way = 0; way < 2 ** pending.length; way++) {
      const lost = new Set(pending.filter((_, bit) => (way >> bit) % 2 === 1));
      const tree = applied(
        begin,
        before.filter((_, index) => !lost.has(index)),
      );
      for (const index of lost)
        if (before[index]?.kind === "make folder") removeBelow(tree, before[index].path, begin);
      const committed = steps[done]?.state ?? state;
      if (committed) {
        for (const suffix of ["-wal", "-shm"]) tree.delete(`state.db${suffix}`);
        tree.set("state.db", committed);
      }
      for (const outcome of withTorn(tree, before.at(-1))) {
        const digest = [...outcome]
          .map(([path, bytes]) => `${path} ${bytes.toString("base64")}`)
          .sort()
          .join("\n");
        if (!seen.has(digest)) yield { done, tree: outcome };
        seen.add(digest);
      }
    }
  }
}

/** A file that is being written when the power is cut is whole, or half there, or empty: its sync may not be over. */
function withTorn(tree: Tree, last: NameStep | undefined): Tree[] {
  const bytes = last && tree.get(last.path);
  if (last?.kind !== "write" || !bytes) return [tree];
  return [bytes.length, bytes.length / 2, 0].map((length) =>
    new Map(tree).set(last.path, bytes.subarray(0, Math.floor(length))),
  );
}

/** Whether every folder whose names the step changes was synced later. */
function isDurable({ kind, path, from }: NameStep, later: readonly NameStep[]): boolean {
  const folders = [path, ...(kind === "rename" ? [from as string] : [])].map((each) => dirname(each));
  return folders.every((folder) => later.some((step) => step.kind === "sync folder" && step.path === folder));
}

function applied(begin: Tree, steps: readonly NameStep[]): Map<string, Buffer> {
  const tree = new Map(begin);
  for (const { kind, path, from, bytes } of steps) {
    if (kind === "write") tree.set(path, bytes as Buffer);
    if (kind === "remove") tree.delete(path);
    if (kind === "link" && tree.has(from as string)) tree.set(path, tree.get(from as string) as Buffer);
    if (kind === "rename") moveAll(tree, from as string, path);
  }
  return tree;
}

/** A file, or a folder with what is in it. */
function moveAll(tree: Map<string, Buffer>, from: string, to: string): void {
  for (const [path, bytes] of [...tree]) {
    if (path !== from && !path.startsWith(`${from}/`)) continue;
    tree.delete(path);
    tree.set(`${to}${path.slice(from.length)}`, bytes);
  }
}

/** What was put into a folder that is lost; not what was in one whose renaming is lost. */
function removeBelow(tree: Map<string, Buffer>, folder: string, begin: Tree): void {
  for (const path of [...tree.keys()])
    if (path.startsWith(`${folder}/`) && !begin.has(path)) tree.delete(path);
}
