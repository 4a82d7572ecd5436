import { closeSync, fstatSync, openSync, readdirSync, readSync, rmSync } from "node:fs";
import { join } from "node:path";
import { UploaderError } from "../core/errors.ts";
import { readSources } from "./sources.ts";
import type { State } from "./state.ts";

/**
 * A file of the outbox that the state does not list is
 *
 *   - what a crash left of an extraction that was not committed: incomplete, or of the sequence that is next;
 *   - what a crash left of an object that was struck: of a sequence before that;
 *   - or an object of a later state, where an older copy of state.db was put in its place, or its log was lost. It may
 *     be the only place where its rows are: a sensor deletes what is old.
 */

/**
 * Removes what a crash left behind.
 *
 * @param isOwned whether the ownership markers have told that no later state ships the sources; else complete files
 *   that a later state may have listed are kept
 * @returns the names of what was removed
 */
export function sweepOutbox(state: State, { isOwned }: { readonly isOwned: boolean }): string[] {
  const nextOf = nextSequences(state);
  const isGarbage = (file: string) =>
    isOwned || placeOf(file, nextOf) === "before" || !isComplete(join(state.files.outbox, file));
  const garbage = unlistedFiles(state).filter(isGarbage);
  for (const file of garbage) rmSync(join(state.files.outbox, file), { force: true, recursive: true });
  return garbage;
}

/**
 * Makes sure that the state is not older than the outbox beside it, as far as the two of them tell.
 *
 * @throws {UploaderError} STATE_DAMAGED
 */
export function assertNotOlder(state: State): void {
  const nextOf = nextSequences(state);
  const isLater = (file: string) =>
    placeOf(file, nextOf) === "later" && isComplete(join(state.files.outbox, file));
  const later = unlistedFiles(state).filter(isLater);
  if (later.length === 0) return;
  throw new UploaderError({
    code: "STATE_DAMAGED",
    message: `${state.files.database} is older than the outbox beside it, which holds ${later.length} objects that it cannot know yet, such as ${later[0]}.`,
    hint: "Put the state.db back that belongs to them, or run `uploader state rebuild`, which keeps these files.",
  });
}

function unlistedFiles(state: State): string[] {
  const waiting = state.db.prepare("SELECT file FROM objects WHERE delivered_at IS NULL").pluck().all();
  const listed = new Set(waiting as string[]);
  return readdirSync(state.files.outbox).filter((file) => !listed.has(file));
}

interface Next {
  readonly generation: number;
  readonly sequence: number;
}

/** By source id. */
function nextSequences({ db }: State): ReadonlyMap<number, Next> {
  const sources = readSources(db);
  return new Map(sources.map(({ id, generation, nextSequence: sequence }) => [id, { generation, sequence }]));
}

/** Of a file's extraction, as its name in extraction.ts says it, against the one that is next. */
function placeOf(file: string, nextOf: ReadonlyMap<number, Next>): "before" | "next" | "later" {
  const [, id, generation = 0, sequence = 0] = (/^(\d+)-(\d+)-(\d+)-/.exec(file) ?? []).map(Number);
  if (id === undefined) return "before";
  const next = nextOf.get(id);
  if (next === undefined || generation > next.generation) return "later";
  if (generation < next.generation || sequence < next.sequence) return "before";
  return sequence === next.sequence ? "next" : "later";
}

/** A Parquet file ends with the four bytes with which it begins; they are written last. */
function isComplete(path: string): boolean {
  const opened = openSync(path, "r");
  try {
    const stats = fstatSync(opened);
    const end = Buffer.alloc(4);
    if (stats.isFile() && stats.size > 8) readSync(opened, end, 0, 4, stats.size - 4);
    return end.toString("latin1") === "PAR1";
  } finally {
    closeSync(opened);
  }
}
