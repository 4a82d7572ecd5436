import type { Connection } from "../sqlite/open.ts";
import { controlSubquery, EXECUTIONS_TABLE } from "./control-tables.ts";
import { type HealthHint, healthHints, RECENT_TRIES, STUCK_MS } from "./health.ts";
import { readControl } from "./transaction.ts";

/** Figures of some objects. Times are ISO 8601, UTC. */
export interface ExecutionFigures {
  readonly objects: number;
  readonly delivered: number;
  readonly pending: number;
  readonly failed: number;
  /** Of the delivered objects. */
  readonly records: number;
  readonly bytes: number;
  /** Of the objects that are pending or failed. */
  readonly waitingRecords: number;
  readonly waitingBytes: number;
  readonly firstCompletedAt: string | null;
  readonly lastCompletedAt: string | null;
  /** From the start of the extraction to the delivery; null where nothing was delivered. */
  readonly averageLatencySeconds: number | null;
}

export interface ExecutionStats {
  /** By pipeline type, of the objects whose extraction began since `since`. */
  readonly types: readonly (ExecutionFigures & { readonly pipelineType: string })[];
  readonly total: ExecutionFigures;
  /** The newest error of an object that still waits, however long ago it began. */
  readonly lastError: ExecutionError | null;
  /** What needs an operator's look now, whatever `since` says. */
  readonly hints: readonly HealthHint[];
}

export interface ExecutionError {
  readonly startedAt: string;
  readonly pipelineType: string;
  readonly bucket: string;
  readonly objectKey: string;
  readonly error: string;
}

/**
 * Sums up `pipeline_executions`, which reaches 30 days back. `since` (null: all there is) and `now` are
 * milliseconds since the epoch. Without the table there is nothing to sum up, and no error.
 *
 * @throws {UploaderError} SOURCE_LOCKED, SOURCE_UNREADABLE or CONTROL_UNAVAILABLE
 */
export function readStats(
  db: Connection,
  { since, now }: { readonly since: number | null; readonly now: number },
): ExecutionStats {
  return readControl(db, () => {
    const table = controlSubquery(db, EXECUTIONS_TABLE);
    if (table === null) return { types: [], total: sum([]), lastError: null, hints: [] };
    // An older system's rows name no object; ours always do.
    const objects = `(SELECT * FROM ${table} WHERE object_key IS NOT NULL)`;
    const rows = db
      .prepare(figuresQuery(objects))
      .safeIntegers(false)
      .all({ since: since === null ? "" : new Date(since).toISOString() }) as FigureRow[];
    return {
      types: rows.map((row) => ({ pipelineType: row.pipelineType, ...sum([row]) })),
      total: sum(rows),
      lastError: (db.prepare(lastErrorQuery(objects)).get() as ExecutionError | undefined) ?? null,
      hints: healthHints({ ...waiting(db, objects, now), lastTries: lastTries(db, objects) }, now),
    };
  });
}

interface FigureRow extends Omit<ExecutionFigures, "averageLatencySeconds"> {
  readonly pipelineType: string;
  readonly latencySeconds: number;
  readonly latencies: number;
}

/** total() rather than sum(), which overflows. */
function figuresQuery(objects: string): string {
  return `
    SELECT coalesce(pipeline_type, 'unknown') AS pipelineType,
      count(*) AS objects,
      count(*) FILTER (WHERE status = 'delivered') AS delivered,
      count(*) FILTER (WHERE status = 'pending') AS pending,
      count(*) FILTER (WHERE status = 'failed') AS failed,
      total(records) FILTER (WHERE status = 'delivered') AS records,
      total(bytes) FILTER (WHERE status = 'delivered') AS bytes,
      total(records) FILTER (WHERE status IN ('pending', 'failed')) AS waitingRecords,
      total(bytes) FILTER (WHERE status IN ('pending', 'failed')) AS waitingBytes,
      min(completed_at) FILTER (WHERE status = 'delivered') AS firstCompletedAt,
      max(completed_at) FILTER (WHERE status = 'delivered') AS lastCompletedAt,
      total(latency) FILTER (WHERE status = 'delivered') AS latencySeconds,
      count(latency) FILTER (WHERE status = 'delivered') AS latencies
    FROM (SELECT *, unixepoch(completed_at, 'subsec') - unixepoch(started_at, 'subsec') AS latency FROM ${objects}
          WHERE started_at >= @since)
    GROUP BY 1 ORDER BY 1`;
}

function sum(rows: readonly FigureRow[]): ExecutionFigures {
  const total = (pick: (row: FigureRow) => number) => rows.reduce((all, row) => all + pick(row), 0);
  const completed = (pick: (row: FigureRow) => string | null) =>
    rows
      .map(pick)
      .filter((time) => time !== null)
      .sort();
  const latencies = total((row) => row.latencies);
  return {
    objects: total((row) => row.objects),
    delivered: total((row) => row.delivered),
    pending: total((row) => row.pending),
    failed: total((row) => row.failed),
    records: total((row) => row.records),
    bytes: total((row) => row.bytes),
    waitingRecords: total((row) => row.waitingRecords),
    waitingBytes: total((row) => row.waitingBytes),
    firstCompletedAt: completed((row) => row.firstCompletedAt)[0] ?? null,
    lastCompletedAt: completed((row) => row.lastCompletedAt).at(-1) ?? null,
    averageLatencySeconds:
      latencies === 0 ? null : Math.round((total((row) => row.latencySeconds) / latencies) * 1000) / 1000,
  };
}

function lastErrorQuery(objects: string): string {
  return `
    SELECT started_at AS startedAt, pipeline_type AS pipelineType, bucket, object_key AS objectKey, error
    FROM ${objects} WHERE error IS NOT NULL AND status IN ('pending', 'failed')
    ORDER BY started_at DESC, id DESC LIMIT 1`;
}

function waiting(db: Connection, objects: string, now: number) {
  return db
    .prepare(
      `SELECT min(started_at) FILTER (WHERE status IN ('pending', 'failed')) AS oldestWaiting,
         count(*) FILTER (WHERE status IN ('pending', 'failed') AND started_at < @stuckBefore) AS stuckObjects,
         max(completed_at) FILTER (WHERE status = 'delivered') AS lastDelivered
       FROM ${objects}`,
    )
    .safeIntegers(false)
    .get({ stuckBefore: new Date(now - STUCK_MS).toISOString() }) as {
    oldestWaiting: string | null;
    stuckObjects: number;
    lastDelivered: string | null;
  };
}

function lastTries(db: Connection, objects: string): string[] {
  return db
    .prepare(
      `SELECT status FROM ${objects} WHERE status IN ('delivered', 'failed')
       ORDER BY coalesce(completed_at, started_at) DESC, id DESC LIMIT ?`,
    )
    .pluck()
    .all(RECENT_TRIES) as string[];
}
