import { createHash } from "node:crypto";
import type { Durable, RecordedRun, Step } from "./recorded-run.ts";

/** How many of the ways in which the unsynced writes of one file can be lost are tried, where there are more. */
const MOST_WAYS = 64;

/** What is in the outbox after a loss of power; null: no file of that name. */
export type Outbox = ReadonlyMap<string, Buffer | null>;

/** A moment at which the power is lost. */
export interface Cut {
  /** Steps that were done. */
  readonly done: number;
  readonly durable: Durable;
  /** Of every file that there ever was, what may be left of it. */
  readonly possible: ReadonlyMap<string, readonly (Buffer | null)[]>;
}

/** Before each step and after the last. */
export function* cutsOf({ steps, end }: RecordedRun, random: () => number): Generator<Cut> {
  const files = new Set<string>();
  for (let cut = 0; cut <= steps.length; cut++) {
    const done = steps.slice(0, cut);
    const last = done.at(-1);
    if (last?.kind === "create") files.add(last.file);
    const possible = new Map([...files].map((file) => [file, possibleContents(done, file, random)]));
    yield { done: cut, durable: steps[cut]?.before ?? end, possible };
  }
}

/** What is left of a file, however the operating system chose among what was not synced. */
function possibleContents(done: readonly Step[], file: string, random: () => number): (Buffer | null)[] {
  const own = done.filter((step) => step.file === file);
  const isNamed = isSyncedAfter(done, "create", file);
  const isRemoved = own.some(({ kind }) => kind === "remove");
  // Its removal is lost, as its making may be, until the folder is synced.
  if (isRemoved && isSyncedAfter(done, "remove", file)) return [null];
  const contents = lostWrites(own, random);
  return isNamed && !isRemoved ? contents : [...contents, null];
}

function isSyncedAfter(done: readonly Step[], kind: Step["kind"], file: string): boolean {
  const at = done.findLastIndex((step) => step.kind === kind && step.file === file);
  return at >= 0 && done.slice(at).some((step) => step.kind === "sync folder");
}

/** Each write that was not synced is kept, lost, or torn in its middle; all of them first, none of them last. */
function lostWrites(own: readonly Step[], random: () => number): Buffer[] {
  const synced = own.findLastIndex(({ kind }) => kind === "sync");
  const writes = own
    .map(({ kind, bytes }, index) => ({ kind, bytes, isSynced: index <= synced }))
    .filter(({ kind }) => kind === "write");
  const ways = 3 ** writes.filter(({ isSynced }) => !isSynced).length;
  const outcomes: Buffer[] = [];
  for (let way = 0; way < Math.min(ways, MOST_WAYS); way++) {
    let fates = ways <= MOST_WAYS || way === 0 ? way : Math.floor(random() * ways);
    const pieces = writes.map(({ bytes, isSynced }) => {
      if (isSynced) return bytes;
      const fate = fates % 3;
      fates = Math.floor(fates / 3);
      const kept = fate === 0 ? bytes.byteLength : fate === 1 ? Math.floor(bytes.byteLength / 2) : 0;
      return Buffer.concat([bytes.subarray(0, kept), Buffer.alloc(bytes.byteLength - kept)]);
    });
    outcomes.push(Buffer.concat(pieces));
  }
  // Nor was its length synced.
  return ways > 1 ? [...outcomes, Buffer.alloc(0)] : outcomes;
}

/**
 * Holds what state.db lists as waiting against every outcome of every cut: it must be whole.
 *
 * @returns how many outcomes there were, and what was violated in some
 */
export function findLost(run: RecordedRun, random: () => number) {
  const violations = new Set<string>();
  let outcomes = 0;
  for (const { durable, possible } of cutsOf(run, random))
    for (const [file, sha256] of durable.listed)
      for (const contents of possible.get(file) ?? [null]) {
        outcomes++;
        if (contents === null) violations.add(`${file}: its name is lost`);
        else if (sha256Of(contents) !== sha256) violations.add(`${file}: its contents are lost`);
      }
  return { outcomes, violations: [...violations] };
}

/** An outcome of one cut, whole: one for each file. */
export interface Outcome extends Pick<Cut, "done" | "durable"> {
  readonly outbox: Outbox;
}

/**
 * The outcomes of every cut that differ, for the program to be started on: at each cut what is kept if all is, what
 * is if nothing is, and, where the files can be combined in more ways, `most` of these.
 */
export function* distinctOutcomes(run: RecordedRun, most: number, random: () => number): Generator<Outcome> {
  const seen = new Set<string>();
  for (const { done, durable, possible } of cutsOf(run, random)) {
    const files = [...possible];
    const ways = files.reduce((product, [, contents]) => product * contents.length, 1);
    for (let way = 0; way < Math.min(ways, most + 2); way++) {
      let rest = ways <= most + 2 || way === 0 ? way : way === 1 ? ways - 1 : Math.floor(random() * ways);
      const outbox = new Map(
        files.map(([file, contents]): [string, Buffer | null] => {
          const chosen = contents[rest % contents.length] as Buffer | null;
          rest = Math.floor(rest / contents.length);
          return [file, chosen];
        }),
      );
      const digest = digestOf({ done, durable, outbox });
      if (!seen.has(digest)) yield { done, durable, outbox };
      seen.add(digest);
    }
  }
}

function digestOf({ durable: { state, source, lake }, outbox }: Outcome): string {
  const files = [...lake, ...outbox].map(([name, bytes]) => `${name} ${bytes && sha256Of(bytes)}`);
  return [sha256Of(state), sha256Of(source), ...files].join("\n");
}

function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
