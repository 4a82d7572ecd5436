import type { PipelineType } from "../core/types.ts";
import type { Connection } from "../sqlite/open.ts";
import { EXECUTIONS_TABLE, ensureControlTables } from "./control-tables.ts";
import { writeControl } from "./transaction.ts";

/** One object's way to the sink, as people see it in `pipeline_executions`. Times are ISO 8601, UTC. */
export interface Execution {
  /** The revision's id. */
  readonly configId: number;
  readonly pipelineType: PipelineType;
  readonly tableName: string;
  readonly bucket: string;
  readonly objectKey: string;
  readonly records: number;
  readonly bytes: number;
  readonly firstRowid: bigint;
  readonly lastRowid: bigint;
  readonly startedAt: string;
  readonly completedAt: string | null;
  /** failed: the last try did; the object still waits. set aside: an operator took it out, and it waits no more. */
  readonly status: "pending" | "delivered" | "failed" | "set aside";
  readonly error: string | null;
}

const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/** Bounds the time for which one call holds the database's write lock. */
const MOST_PRUNED = 1_000;

/**
 * Writes down what became of some objects, in one short immediate transaction, and forgets what began more than
 * 30 days before `now` (milliseconds since the epoch). An object is known by its bucket and key; once delivered
 * it stays delivered, in whatever order the news comes. For people only: nothing that is shipped depends on it,
 * so a caller logs the error and goes on.
 *
 * @throws {UploaderError} SOURCE_LOCKED, SOURCE_UNREADABLE or CONTROL_UNAVAILABLE
 */
export function recordExecutions(
  db: Connection,
  entries: readonly Execution[],
  { now }: { readonly now: number },
): void {
  writeControl(db, () => {
    ensureControlTables(db, [EXECUTIONS_TABLE]);
    const upsert = db.prepare(UPSERT);
    for (const entry of entries) upsert.run(entry);
    db.prepare(PRUNE).run({ before: new Date(now - KEPT_MS).toISOString(), most: MOST_PRUNED });
  });
}

const UPSERT = `
  INSERT INTO main.pipeline_executions(config_id, pipeline_type, table_name, bucket, object_key, records, bytes,
    first_rowid, last_rowid, started_at, completed_at, status, error)
  VALUES (@configId, @pipelineType, @tableName, @bucket, @objectKey, @records, @bytes,
    @firstRowid, @lastRowid, @startedAt, @completedAt, @status, @error)
  ON CONFLICT(bucket, object_key) DO UPDATE SET
    config_id = excluded.config_id, pipeline_type = excluded.pipeline_type, table_name = excluded.table_name,
    records = excluded.records, bytes = excluded.bytes, first_rowid = excluded.first_rowid,
    last_rowid = excluded.last_rowid, started_at = excluded.started_at, completed_at = excluded.completed_at,
    status = excluded.status, error = excluded.error
  WHERE status IS NOT 'delivered'`;

const PRUNE = `
  DELETE FROM main.pipeline_executions WHERE id IN (
    SELECT id FROM main.pipeline_executions WHERE started_at < @before ORDER BY started_at LIMIT @most)`;
