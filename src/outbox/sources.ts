import { formatSpaces, parseSpaces, type RowidSpace } from "../core/rowid-spaces.ts";
import type { PipelineType, Revision } from "../core/types.ts";
import type { State } from "./state.ts";

/** Where a source's objects go; a change of it has to be accepted. */
export interface Destination {
  /** `s3` with its endpoint, or `directory` with its path. */
  readonly place: string;
  readonly buckets: Readonly<Record<PipelineType, string>>;
}

/** A row that waits for its window to end. */
export interface Hold {
  /** The first row of an open window. */
  readonly row: bigint;
  /** The largest rowid when the wait began. */
  readonly through: bigint;
  /** Milliseconds since the epoch. */
  readonly since: number;
}

/** What the state knows of a source. */
export interface SourceState {
  readonly id: number;
  readonly node: string;
  readonly table: string;
  readonly generation: number;
  readonly rowidSpaces: readonly RowidSpace[];
  readonly cursor: bigint | null;
  /** What the reader remembers of the rows up to the cursor, in its own words. */
  readonly footing: string | null;
  readonly nextSequence: number;
  readonly destination: Destination;
  readonly epoch: number;
  readonly revision: Revision | null;
  readonly hold: Hold | null;
  readonly delivered: { readonly objects: number; readonly rows: number; readonly bytes: number };
}

interface SourceRow {
  readonly id: bigint;
  readonly node: string;
  readonly table_name: string;
  readonly generation: bigint;
  readonly rowid_spaces: string;
  readonly cursor: bigint | null;
  readonly footing: string | null;
  readonly next_sequence: bigint;
  readonly destination: string;
  readonly epoch: bigint;
  readonly revision: string | null;
  readonly hold_row: bigint | null;
  readonly hold_through: bigint | null;
  readonly hold_since: bigint | null;
  readonly delivered_objects: bigint;
  readonly delivered_rows: bigint;
  readonly delivered_bytes: bigint;
}

/** The source of a node and table, made with generation 1 and no cursor where it is new. */
export function openSource(state: State, node: string, table: string, destination: Destination): SourceState {
  state.db
    .prepare(
      `INSERT INTO sources (node, table_name, generation, rowid_spaces, cursor, next_sequence, destination, epoch)
       VALUES (?, ?, 1, ?, NULL, 1, ?, 0) ON CONFLICT DO NOTHING`,
    )
    .run(node, table, formatSpaces([{ since: 1, after: null }]), JSON.stringify(destination));
  return readSource(state.db, node, table) as SourceState;
}

/** Reads one source again; null where the state does not know it. */
export function readSource(db: State["db"], node: string, table: string): SourceState | null {
  const statement = db.prepare("SELECT * FROM sources WHERE node = ? AND table_name = ?").safeIntegers();
  const row = statement.get(node, table) as SourceRow | undefined;
  return row ? fromRow(row) : null;
}

export function readSources(db: State["db"]): SourceState[] {
  const statement = db.prepare("SELECT * FROM sources ORDER BY node, table_name").safeIntegers();
  return (statement.all() as SourceRow[]).map(fromRow);
}

/**
 * Sends a source, and what waits of it in the outbox, to another destination from now on. The epoch begins again only
 * where the ownership marker, which is in the raw bucket, is another one: it would seem to be that of a copy otherwise.
 */
export function changeDestination(state: State, source: SourceState, destination: Destination): void {
  state.db.transaction(() => {
    state.db
      .prepare("UPDATE sources SET destination = ? WHERE id = ?")
      .run(JSON.stringify(destination), source.id);
    const update = state.db.prepare(
      "UPDATE objects SET bucket = ? WHERE source_id = ? AND route_type = ? AND delivered_at IS NULL",
    );
    for (const [type, bucket] of Object.entries(destination.buckets)) update.run(bucket, source.id, type);
  })();
}

/** Commits the intent to raise the ownership marker to this epoch, before the marker is written. */
export function intendEpoch(state: State, source: SourceState, epoch: number): void {
  state.db.prepare("UPDATE sources SET epoch = ? WHERE id = ?").run(epoch, source.id);
}

/** The newest revision that any source of a node has seen; null where none has seen one. */
export function lastKnownRevision(db: State["db"], node: string): Revision | null {
  const seen = readSources(db).flatMap((source) =>
    source.node === node && source.revision ? [source.revision] : [],
  );
  return seen.reduce<Revision | null>((newest, one) => (newest && newest.id >= one.id ? newest : one), null);
}

/** Remembers the revision in effect, also where nothing is extracted under it. */
export function rememberRevision(state: State, node: string, revision: Revision): void {
  state.db.prepare("UPDATE sources SET revision = ? WHERE node = ?").run(JSON.stringify(revision), node);
}

/** Remembers, or forgets, that rows of a source wait for their window to end. */
export function setHold(state: State, source: SourceState, hold: Hold | null): void {
  state.db
    .prepare("UPDATE sources SET hold_row = ?, hold_through = ?, hold_since = ? WHERE id = ?")
    .run(hold?.row ?? null, hold?.through ?? null, hold?.since ?? null, source.id);
}

function fromRow(row: SourceRow): SourceState {
  return {
    id: Number(row.id),
    node: row.node,
    table: row.table_name,
    generation: Number(row.generation),
    rowidSpaces: parseSpaces(JSON.parse(row.rowid_spaces)) ?? [],
    cursor: row.cursor,
    footing: row.footing ?? null, // a state that is only looked at may be of an earlier version
    nextSequence: Number(row.next_sequence),
    destination: JSON.parse(row.destination),
    epoch: Number(row.epoch),
    revision: row.revision === null ? null : JSON.parse(row.revision),
    hold:
      row.hold_row === null || row.hold_through === null || row.hold_since === null
        ? null
        : { row: row.hold_row, through: row.hold_through, since: Number(row.hold_since) },
    delivered: {
      objects: Number(row.delivered_objects),
      rows: Number(row.delivered_rows),
      bytes: Number(row.delivered_bytes),
    },
  };
}
