import { rmSync } from "node:fs";
import { join } from "node:path";
import { failpoint } from "../core/failpoints.ts";
import type { OutboxObject, PipelineType } from "../core/types.ts";
import type { SourceState } from "./sources.ts";
import type { State } from "./state.ts";

/**
 * An object of the outbox is
 *
 *   waiting ── the sink has confirmed it ──► struck ── pipeline_executions has heard of it ──► gone
 *
 * and its file is deleted once it is struck.
 */

/** Emergency objects have a lane of their own, so that a large object does not hold them up. */
export type Lane = "ordinary" | "emergency";

/** The object of a lane that has waited longest; null where none waits. */
export function nextWaiting(state: State, source: SourceState, lane: Lane): OutboxObject | null {
  const condition = lane === "emergency" ? "route_type = 'emergency'" : "route_type <> 'emergency'";
  const row = state.db
    .prepare(
      `SELECT * FROM objects WHERE source_id = ? AND delivered_at IS NULL AND ${condition} ORDER BY id LIMIT 1`,
    )
    .safeIntegers()
    .get(source.id) as ObjectRow | undefined;
  return row ? fromRow(state, source, row) : null;
}

/** What waits in the outbox: of one source, or of all. */
export function countWaiting(
  db: State["db"],
  sourceId?: number,
): { readonly objects: number; readonly rows: number; readonly bytes: number } {
  return db
    .prepare(
      `SELECT count(*) AS objects, coalesce(sum(rows), 0) AS rows, coalesce(sum(bytes), 0) AS bytes
       FROM objects WHERE delivered_at IS NULL AND (@id IS NULL OR source_id = @id)`,
    )
    .get({ id: sourceId ?? null }) as { objects: number; rows: number; bytes: number };
}

/** When the object that has waited longest was extracted, in milliseconds since the epoch; null where none waits. */
export function oldestWaitingAt(db: State["db"]): number | null {
  const statement = db.prepare("SELECT min(extracted_at) FROM objects WHERE delivered_at IS NULL").pluck();
  const extractedAt = statement.get() as string | null;
  return extractedAt === null ? null : Date.parse(extractedAt);
}

/** Strikes an object that the sink has confirmed, then deletes its file. */
export function strike(state: State, source: SourceState, object: OutboxObject, now: number): void {
  state.db.transaction(() => {
    state.db
      .prepare("UPDATE objects SET delivered_at = ?, error = NULL WHERE id = ?")
      .run(new Date(now).toISOString(), object.id);
    state.db
      .prepare(
        `UPDATE sources SET delivered_objects = delivered_objects + 1,
           delivered_rows = delivered_rows + @rows, delivered_bytes = delivered_bytes + @bytes WHERE id = @id`,
      )
      .run({ id: source.id, rows: object.rows, bytes: object.bytes });
  })();
  failpoint("after-strike");
  try {
    rmSync(object.path, { force: true });
  } catch {
    // It is struck, which is what counts; the next start sweeps the file away.
  }
  failpoint("after-delete");
}

/** Notes why an object could not be delivered, for `state show` and `pipeline_executions`. */
export function noteFailure(state: State, object: OutboxObject, message: string): void {
  state.db.prepare("UPDATE objects SET error = ? WHERE id = ?").run(message, object.id);
}

/** The bytes of the source's files in the outbox. */
export function waitingBytes(state: State, source: SourceState): number {
  return countWaiting(state.db, source.id).bytes;
}

export interface ExecutionChange {
  readonly object: Omit<OutboxObject, "path">;
  readonly status: "pending" | "delivered" | "failed";
  readonly deliveredAt: string | null;
  readonly error: string | null;
}

/** What `pipeline_executions` has not heard of yet, the oldest first. */
export function readExecutionChanges(state: State, limit: number): ExecutionChange[] {
  const rows = state.db
    .prepare(
      `SELECT objects.*, sources.table_name FROM objects JOIN sources ON sources.id = source_id
       WHERE recorded IS NOT ${STATUS} ORDER BY objects.id LIMIT ?`,
    )
    .safeIntegers()
    .all(limit) as (ObjectRow & { table_name: string })[];
  return rows.map((row) => ({
    object: { ...commonFields(row), table: row.table_name },
    status: row.delivered_at !== null ? "delivered" : row.error !== null ? "failed" : "pending",
    deliveredAt: row.delivered_at,
    error: row.error,
  }));
}

/** Notes what `pipeline_executions` has heard; delivered objects are then gone from the state. */
export function markRecorded(state: State, changes: readonly ExecutionChange[]): void {
  const remove = state.db.prepare("DELETE FROM objects WHERE id = ?");
  const update = state.db.prepare("UPDATE objects SET recorded = ? WHERE id = ?");
  state.db.transaction(() => {
    for (const { object, status } of changes) {
      if (status === "delivered") remove.run(object.id);
      else update.run(status, object.id);
    }
  })();
}

const STATUS =
  "CASE WHEN delivered_at IS NOT NULL THEN 'delivered' WHEN error IS NOT NULL THEN 'failed' ELSE 'pending' END";

interface ObjectRow {
  readonly id: bigint;
  readonly generation: bigint;
  readonly sequence: bigint;
  readonly route_type: PipelineType;
  readonly rejected: bigint;
  readonly pipeline_type: PipelineType;
  readonly revision_id: bigint;
  readonly bucket: string;
  readonly object_key: string;
  readonly file: string;
  readonly rows: bigint;
  readonly bytes: bigint;
  readonly sha256: string;
  readonly first_rowid: bigint;
  readonly last_rowid: bigint;
  readonly started_at: string;
  readonly extracted_at: string;
  readonly delivered_at: string | null;
  readonly error: string | null;
}

function fromRow(state: State, source: SourceState, row: ObjectRow): OutboxObject {
  return { ...commonFields(row), table: source.table, path: join(state.files.outbox, row.file) };
}

function commonFields(row: ObjectRow): Omit<OutboxObject, "path" | "table"> {
  return {
    id: Number(row.id),
    generation: Number(row.generation),
    sequence: Number(row.sequence),
    route: { type: row.route_type, rejected: row.rejected !== 0n },
    pipelineType: row.pipeline_type,
    revisionId: Number(row.revision_id),
    bucket: row.bucket,
    key: row.object_key,
    rows: Number(row.rows),
    bytes: Number(row.bytes),
    sha256: row.sha256,
    firstRowid: row.first_rowid,
    lastRowid: row.last_rowid,
    startedAt: row.started_at,
    extractedAt: row.extracted_at,
  };
}
