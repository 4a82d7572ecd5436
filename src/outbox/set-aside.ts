import { existsSync } from "node:fs";
import { join } from "node:path";
import { failpoint } from "../core/failpoints.ts";
import type { PipelineType } from "../core/types.ts";
import { type State, type StateFiles, writeState } from "./state.ts";
import { type StateDisk, stateDisk } from "./state-disk.ts";

/** An object that waits in the outbox, for people and for the note beside a file that was set aside. */
export interface WaitingObject {
  readonly id: number;
  readonly node: string;
  readonly table: string;
  readonly bucket: string;
  readonly key: string;
  /** Its name in the outbox folder. */
  readonly file: string;
  readonly rows: number;
  readonly bytes: number;
  readonly sha256: string;
  readonly generation: number;
  readonly sequence: number;
  readonly firstRowid: bigint;
  readonly lastRowid: bigint;
  readonly pipelineType: PipelineType;
  readonly revision: number;
  readonly startedAt: string;
  readonly extractedAt: string;
  /** Why the last try failed; null where there was none. */
  readonly error: string | null;
}

/** All that waits, the oldest first. */
export function listWaiting(db: State["db"]): WaitingObject[] {
  const rows = db
    .prepare(
      `SELECT objects.id, node, table_name AS "table", bucket, object_key AS key, file, rows, bytes, sha256,
         objects.generation, sequence, first_rowid AS firstRowid, last_rowid AS lastRowid,
         pipeline_type AS pipelineType, revision_id AS revision, started_at AS startedAt, extracted_at AS extractedAt, error
       FROM objects JOIN sources ON sources.id = source_id WHERE delivered_at IS NULL ORDER BY objects.id`,
    )
    .safeIntegers()
    .all() as Record<string, unknown>[];
  const isRowid = (name: string) => name === "firstRowid" || name === "lastRowid";
  return rows.map((row) => {
    const fields = Object.entries(row).map(([name, value]) => [
      name,
      typeof value === "bigint" && !isRowid(name) ? Number(value) : value,
    ]);
    return Object.fromEntries(fields) as WaitingObject;
  });
}

/** Where the files are that an operator has taken out of the outbox. */
export function setAsideFolder(files: StateFiles): string {
  return join(files.folder, "set-aside");
}

/**
 * Takes an object out of the outbox for good: its file goes to `set-aside/`, with a note beside it that says what it
 * is. The file is there, and durable, before the state forgets the object, and leaves the outbox after that, so that
 * wherever this is cut short it can be run again.
 *
 * @returns the path of the file; of the note alone where the outbox had lost the file
 */
export async function setAside(
  state: State,
  object: WaitingObject,
  now: number,
  disk: StateDisk = stateDisk,
): Promise<string> {
  const folder = setAsideFolder(state.files);
  const from = join(state.files.outbox, object.file);
  // A later state of this folder may use the same name for another object.
  const to = join(folder, `${object.sha256.slice(0, 16)}-${object.file}`);
  const note = `${to}.json`;
  disk.makeFolder(folder);
  await disk.writeFile(note, textOf(object, now));
  failpoint("after-note");
  if (existsSync(from)) {
    disk.remove(to); // of a run that was cut short
    await disk.link(from, to);
  }
  failpoint("after-copy-aside");
  await disk.syncFolder(folder);
  await disk.syncFolder(state.files.folder);
  const strike = state.db.prepare("DELETE FROM objects WHERE id = ? AND delivered_at IS NULL");
  failpoint("before-forget");
  writeState(state, () => strike.run(object.id));
  failpoint("after-forget");
  disk.remove(from);
  return existsSync(to) ? to : note;
}

/** Of the note beside a file that was set aside. */
function textOf({ id: _, error, ...object }: WaitingObject, now: number): string {
  const note = { ...object, lastError: error, setAsideAt: new Date(now).toISOString() };
  // Rowids may be beyond what a JSON number holds.
  return `${JSON.stringify(note, (_, value) => (typeof value === "bigint" ? String(value) : value), 2)}\n`;
}
