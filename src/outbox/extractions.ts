import { beginSpace, formatSpaces } from "../core/rowid-spaces.ts";
import type { OutboxObject, Revision } from "../core/types.ts";
import { forgetCoveredRanges } from "./covered-ranges.ts";
import type { SourceState } from "./sources.ts";
import type { State } from "./state.ts";

/** How many recent positions are kept, and how many of the older ones, thinned out by the same factor. */
const POSITIONS_KEPT = 64;

/** A row that was shipped, with a digest of the columns `basis`. */
export interface StoredPosition {
  readonly rowid: bigint;
  readonly basis: readonly string[];
  readonly digest: string;
}

/** An object as an extraction hands it over; the state gives it its id. */
export type NewObject = Omit<OutboxObject, "id" | "path"> & { readonly file: string };

export interface ExtractionCommit {
  /** The source as it was when the extraction began. */
  readonly source: SourceState;
  /** The last rowid of the extraction. */
  readonly cursor: bigint;
  /** The ends of its reads, in order. */
  readonly positions: readonly StoredPosition[];
  readonly footing: string | null;
  readonly revision: Revision;
  readonly objects: readonly NewObject[];
}

/**
 * The one transaction that makes an extraction true: the cursor advances, the extraction takes its number,
 * its objects are listed. Their files, and the folder, have been synced before.
 */
export function commitExtraction(state: State, commit: ExtractionCommit): void {
  const { source, cursor, positions, footing, revision, objects } = commit;
  state.db.transaction(() => {
    const { changes } = state.db
      .prepare(
        `UPDATE sources SET cursor = @cursor, footing = @footing, next_sequence = next_sequence + 1,
           revision = @revision
         WHERE id = @id AND generation = @generation AND next_sequence = @sequence`,
      )
      .run({
        id: source.id,
        generation: source.generation,
        sequence: source.nextSequence,
        cursor,
        footing,
        revision: JSON.stringify(revision),
      });
    if (changes !== 1) throw new Error(`the state of ${source.table} changed during an extraction`);
    for (const position of positions) addPosition(state, source, position);
    forgetCoveredRanges(state.db, source.id, { through: cursor });
    for (const object of objects) listObject(state, source, object);
  })();
}

/**
 * Begins a new generation behind `resumeAfter`: the source was replaced, or its rowids are given out again.
 * Positions above it, and what a rebuild found delivered, are forgotten, since they are of rows that are gone.
 */
export function beginGeneration(
  state: State,
  source: SourceState,
  resumeAfter: bigint | null,
  footing: string | null,
): void {
  const generation = source.generation + 1;
  const spaces = beginSpace(source.rowidSpaces, { since: generation, after: resumeAfter });
  state.db.transaction(() => {
    state.db
      .prepare(
        `UPDATE sources SET generation = ?, rowid_spaces = ?, cursor = ?, footing = ?, next_sequence = 1,
           hold_row = NULL, hold_through = NULL, hold_since = NULL WHERE id = ?`,
      )
      .run(generation, formatSpaces(spaces), resumeAfter, footing, source.id);
    forgetCoveredRanges(state.db, source.id, { through: null });
    state.db
      .prepare("DELETE FROM positions WHERE source_id = ? AND (@after IS NULL OR rowid_value > @after)")
      .run(source.id, { after: resumeAfter });
  })();
}

/** The remembered positions of a source, the highest first. */
export function readPositions(db: State["db"], source: SourceState): StoredPosition[] {
  const statement = db
    .prepare(
      "SELECT rowid_value, basis, digest FROM positions WHERE source_id = ? ORDER BY rowid_value DESC, ordinal DESC",
    )
    .safeIntegers();
  type Row = { rowid_value: bigint; basis: string; digest: string };
  return (statement.all(source.id) as Row[]).map((row) => ({
    rowid: row.rowid_value,
    basis: JSON.parse(row.basis),
    digest: row.digest,
  }));
}

/** Remembers the row; of the older positions ever fewer are kept. */
export function addPosition(
  state: Pick<State, "db">,
  source: Pick<SourceState, "id">,
  position: StoredPosition,
): void {
  const newest = state.db
    .prepare(
      `INSERT INTO positions (source_id, ordinal, rowid_value, basis, digest)
       VALUES (@id, coalesce((SELECT max(ordinal) FROM positions WHERE source_id = @id), 0) + 1,
               @rowid, @basis, @digest) RETURNING ordinal`,
    )
    .pluck()
    .get({
      id: source.id,
      rowid: position.rowid,
      basis: JSON.stringify(position.basis),
      digest: position.digest,
    }) as number;
  state.db
    .prepare(
      `DELETE FROM positions WHERE source_id = @id AND ordinal <= @newest - @kept
         AND (ordinal % @kept <> 0 OR ordinal <= @newest - @kept * @kept)`,
    )
    .run({ id: source.id, newest, kept: POSITIONS_KEPT });
}

function listObject(state: State, source: SourceState, object: NewObject): void {
  state.db
    .prepare(
      `INSERT INTO objects (source_id, generation, sequence, route_type, rejected, pipeline_type, revision_id,
         bucket, object_key, file, rows, bytes, sha256, first_rowid, last_rowid, started_at, extracted_at)
       VALUES (@sourceId, @generation, @sequence, @routeType, @rejected, @pipelineType, @revisionId,
         @bucket, @key, @file, @rows, @bytes, @sha256, @firstRowid, @lastRowid, @startedAt, @extractedAt)`,
    )
    .run({
      sourceId: source.id,
      generation: object.generation,
      sequence: object.sequence,
      routeType: object.route.type,
      rejected: object.route.rejected ? 1 : 0,
      pipelineType: object.pipelineType,
      revisionId: object.revisionId,
      bucket: object.bucket,
      key: object.key,
      file: object.file,
      rows: object.rows,
      bytes: object.bytes,
      sha256: object.sha256,
      firstRowid: object.firstRowid,
      lastRowid: object.lastRowid,
      startedAt: object.startedAt,
      extractedAt: object.extractedAt,
    });
}
