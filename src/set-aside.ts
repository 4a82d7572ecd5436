import type { Settings } from "./config/settings.ts";
import type { Clock } from "./core/clock.ts";
import { UploaderError } from "./core/errors.ts";
import { parseObjectKey } from "./core/object-key.ts";
import { createSink, destinationOf } from "./destination.ts";
import { assertLocalFiles } from "./local-files.ts";
import type { Logger } from "./observe/logger.ts";
import { acquireStateLock } from "./outbox/lock.ts";
import { listWaiting, setAside, type WaitingObject } from "./outbox/set-aside.ts";
import { readSource } from "./outbox/sources.ts";
import {
  createStateFolders,
  describeFileError,
  openState,
  openStateForReading,
  type State,
  stateFiles,
} from "./outbox/state.ts";
import type { StateDisk } from "./outbox/state-disk.ts";
import { recordExecutions } from "./pipeline/executions.ts";
import type { ReadFileSystem } from "./sqlite/file-system.ts";
import { openDatabase } from "./sqlite/open.ts";
import { discardUnfinished } from "./unfinished.ts";

/** Which objects are to be set aside: those that all of what is given describes. */
export interface SetAsideChoice {
  /** A key, with or without `bucket/` or `s3://bucket/` before it; null: any. */
  readonly key: string | null;
  /** null: of any table. */
  readonly tables: readonly string[] | null;
}

export interface SetAsideOptions {
  readonly settings: Settings;
  readonly choice: SetAsideChoice;
  readonly clock: Clock;
  readonly log: Logger;
  /** Left out: the operating system's answer. */
  readonly readFileSystem?: ReadFileSystem;
  /** Left out: the file system. */
  readonly disk?: StateDisk;
  /** Is told what was chosen, and says whether to go on; nothing is changed before. */
  readonly confirm: (objects: readonly WaitingObject[]) => Promise<boolean>;
}

/**
 * Moves hopeless objects out of the outbox, so that those behind them go on. Their files are kept, and so is the gap
 * in the sequence, by which the lake names what it lacks.
 *
 * @returns the paths of the files; null where `confirm` said no
 * @throws {UploaderError} USAGE where nothing that waits was chosen, STATE_LOCKED while an uploader runs
 */
export async function setAsideObjects(options: SetAsideOptions): Promise<string[] | null> {
  const { settings, choice, clock } = options;
  assertLocalFiles(settings, options.log, options.readFileSystem);
  assertThereIsAState(settings.stateDir);
  const files = createStateFolders(settings.stateDir);
  const lock = acquireStateLock(settings.stateDir, clock.now());
  try {
    const state = openState(files, clock.now());
    try {
      const chosen = listWaiting(state.db).filter((object) => isChosen(object, choice));
      if (chosen.length === 0) throw nothingChosen(choice);
      if (!(await options.confirm(chosen))) return null;
      // Before the state forgets them, so that it is done again where this is cut short.
      await clearTheWay(state, chosen, options);
      const paths: string[] = [];
      for (const object of chosen) paths.push(await setAside(state, object, clock.now(), options.disk));
      tellExecutions(chosen, options);
      return paths;
    } catch (error) {
      throw describeFileError(error, files);
    } finally {
      state.close();
    }
  } finally {
    lock.release();
  }
}

/** Nobody will try again to put these objects, and take away what was left by the tries that were cut short. */
async function clearTheWay(
  state: State,
  objects: readonly WaitingObject[],
  { settings, log }: SetAsideOptions,
): Promise<void> {
  const { place } = destinationOf(settings.sink);
  const isThere = ({ node, table }: WaitingObject) =>
    readSource(state.db, node, table)?.destination.place === place;
  const places = objects.filter(isThere).flatMap(({ bucket, key }) => {
    const of = parseObjectKey(key);
    return of ? [{ bucket, of: { route: of.route, node: of.node, table: of.table } }] : [];
  });
  const sink = await createSink(settings.sink);
  try {
    await discardUnfinished(sink, places, log);
  } finally {
    sink.close();
  }
}

function isChosen({ bucket, key, table }: WaitingObject, { key: wanted, tables }: SetAsideChoice): boolean {
  const isKey = wanted === null || [key, `${bucket}/${key}`, `s3://${bucket}/${key}`].includes(wanted);
  return isKey && (tables === null || tables.includes(table));
}

/** Statistics are for people: where they cannot be written, the objects are set aside all the same. */
function tellExecutions(objects: readonly WaitingObject[], { settings, clock, log }: SetAsideOptions): void {
  const now = clock.now();
  const entries = objects.map(({ error, ...object }) => ({
    configId: object.revision,
    pipelineType: object.pipelineType,
    tableName: object.table,
    bucket: object.bucket,
    objectKey: object.key,
    records: object.rows,
    bytes: object.bytes,
    firstRowid: object.firstRowid,
    lastRowid: object.lastRowid,
    startedAt: object.startedAt,
    completedAt: new Date(now).toISOString(),
    status: "set aside" as const,
    error,
  }));
  try {
    const db = openDatabase(settings.pipelineDbPath ?? settings.sqlitePath, { mode: "write" });
    try {
      recordExecutions(db, entries, { now });
    } finally {
      db.close();
    }
  } catch (error) {
    if (!(error instanceof UploaderError)) throw error;
    log.warn({ err: error }, "pipeline_executions could not be told; it goes on showing them as waiting");
  }
}

/** A mistyped folder must not be made. */
function assertThereIsAState(stateDir: string): void {
  const db = openStateForReading(stateFiles(stateDir));
  if (db) return void db.close();
  throw new UploaderError({
    code: "USAGE",
    message: `There is no state in ${stateDir}.`,
    hint: "Name the uploader's own folder with `state_dir` (STATE_DIR, --state-dir).",
  });
}

function nothingChosen({ key, tables }: SetAsideChoice): UploaderError {
  const of = tables === null ? "" : ` of ${tables.join(", ")}`;
  return new UploaderError({
    code: "USAGE",
    message: `Nothing${of} waits in the outbox${key === null ? "" : ` under the key ${key}`}.`,
    hint: "See `uploader outbox list`.",
  });
}
