import { existsSync, readdirSync, rmSync } from "node:fs";
import { UploaderError } from "../core/errors.ts";
import { failpoint } from "../core/failpoints.ts";
import { formatSpaces } from "../core/rowid-spaces.ts";
import type { RowRange } from "../core/types.ts";
import { addCoveredRanges } from "./covered-ranges.ts";
import { addPosition, type StoredPosition } from "./extractions.ts";
import { readSource, type SourceState } from "./sources.ts";
import { openState, type State, type StateFiles, writeState } from "./state.ts";
import { type StateDisk, stateDisk } from "./state-disk.ts";

/** A source as a rebuilt state begins with it. */
export interface RestoredSource
  extends Pick<
    SourceState,
    | "node"
    | "table"
    | "generation"
    | "rowidSpaces"
    | "cursor"
    | "footing"
    | "destination"
    | "epoch"
    | "delivered"
  > {
  readonly covered: readonly RowRange[];
  readonly positions: readonly StoredPosition[];
}

/** A new state that is made beside the present one, which stays as it is until `install`. */
export interface StateReplacement {
  /** Of the new state. */
  readonly id: string;
  /** Commits these sources and no others to the new state. */
  write(sources: readonly RestoredSource[]): void;
  /**
   * Moves the present state and its outbox aside and puts the new one in its place.
   *
   * @returns the paths of what was moved aside
   */
  install(): Promise<string[]>;
  close(): void;
}

/** What `install` would move aside. */
export interface StateRemains {
  readonly hasDatabase: boolean;
  readonly outboxFiles: number;
}

const SUFFIXES = ["", "-wal", "-shm"];

/** Beside the database, until it takes its place. */
const replacementOf = ({ database }: StateFiles) => `${database}.rebuilding`;

/** Removes what a rebuild left that was killed; the next one begins anew. The caller holds the folder's lock. */
export function sweepReplacement(files: StateFiles): void {
  removeDatabase(replacementOf(files));
}

export function findRemains(files: StateFiles): StateRemains {
  return {
    hasDatabase: existsSync(files.database),
    outboxFiles: existsSync(files.outbox) ? readdirSync(files.outbox).length : 0,
  };
}

/**
 * Opens a new state beside the present one. The caller holds the folder's lock.
 *
 * @throws {UploaderError} STATE_UNWRITABLE
 */
export function openReplacement(
  files: StateFiles,
  now: number,
  disk: StateDisk = stateDisk,
): StateReplacement {
  const path = replacementOf(files);
  removeDatabase(path);
  const state = openNew({ ...files, database: path }, now);
  return {
    id: state.id,
    write: (sources) => writeState(state, () => writeSources(state, sources)),
    async install() {
      // Without a WAL the state is one file, which one rename puts in its place.
      state.db.pragma("journal_mode = DELETE");
      state.close();
      try {
        failpoint("before-replace");
        const moved = moveAside(files, now, disk);
        // Else a loss of power may leave the new state beside the old log, or the old outbox, which it would sweep.
        await disk.syncFolder(files.folder);
        failpoint("after-state-aside");
        disk.rename(path, files.database);
        failpoint("after-replace");
        disk.makeFolder(files.outbox);
        await disk.syncFolder(files.folder);
        return moved;
      } catch (cause) {
        throw new UploaderError({
          code: "STATE_UNWRITABLE",
          message: `The state in ${files.folder} could not be replaced: ${(cause as Error).message}.`,
          hint: "Give this user the right to write there and run `uploader state rebuild` again; nothing is lost.",
          cause,
        });
      }
    },
    close() {
      state.close();
      removeDatabase(path);
    },
  };
}

/** Nothing is left of one that cannot be made, on a full disk for instance. */
function openNew(files: StateFiles, now: number): State {
  try {
    return openState(files, now);
  } catch (error) {
    removeDatabase(files.database);
    throw error;
  }
}

function writeSources({ db }: State, sources: readonly RestoredSource[]): void {
  db.transaction(() => {
    db.exec("DELETE FROM sources"); // and by its references what belongs to them
    for (const source of sources) writeSource(db, source);
  })();
}

function writeSource(db: State["db"], source: RestoredSource): void {
  const { node, table, generation, cursor, footing, epoch, delivered } = source;
  db.prepare(
    `INSERT INTO sources (node, table_name, generation, rowid_spaces, cursor, footing, next_sequence, destination, epoch,
       delivered_objects, delivered_rows, delivered_bytes)
     VALUES (@node, @table, @generation, @rowidSpaces, @cursor, @footing, 1, @destination, @epoch,
       @objects, @rows, @bytes)`,
  ).run({
    node,
    table,
    generation,
    rowidSpaces: formatSpaces(source.rowidSpaces),
    cursor,
    footing,
    destination: JSON.stringify(source.destination),
    epoch,
    ...delivered,
  });
  const { id } = readSource(db, node, table) as SourceState;
  addCoveredRanges(db, id, source.covered);
  for (const position of source.positions) addPosition({ db }, { id }, position);
}

/** Never deletes: the outbox may hold rows that are nowhere else. */
function moveAside(files: StateFiles, now: number, disk: StateDisk): string[] {
  const stamp = freeStamp(files, new Date(now).toISOString().replaceAll(":", "-"));
  const moved: string[] = [];
  const move = (from: string, to: string) => {
    disk.rename(from, to);
    moved.push(to);
  };
  if (findRemains(files).outboxFiles > 0) move(files.outbox, `${files.outbox}.replaced-${stamp}`);
  failpoint("after-outbox-aside");
  for (const suffix of SUFFIXES) {
    const from = `${files.database}${suffix}`;
    // The WAL keeps its database's name, so that SQLite finds it there.
    if (existsSync(from)) move(from, `${files.database}.replaced-${stamp}${suffix}`);
  }
  return moved;
}

function freeStamp({ folder }: StateFiles, wanted: string): string {
  const names = readdirSync(folder);
  const isTaken = (stamp: string) => names.some((name) => name.includes(`.replaced-${stamp}`));
  let stamp = wanted;
  for (let number = 2; isTaken(stamp); number++) stamp = `${wanted}-${number}`;
  return stamp;
}

function removeDatabase(path: string): void {
  for (const suffix of [...SUFFIXES, "-journal"]) rmSync(`${path}${suffix}`, { force: true });
}
