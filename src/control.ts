import type { Clock } from "./core/clock.ts";
import { UploaderError } from "./core/errors.ts";
import { failpoint } from "./core/failpoints.ts";
import type { Logger } from "./observe/logger.ts";
import { markRecorded, readExecutionChanges } from "./outbox/objects.ts";
import { describeStateError, isPassing, type State } from "./outbox/state.ts";
import { CONFIG_TABLE, EXECUTIONS_TABLE, ensureControlTables } from "./pipeline/control-tables.ts";
import { recordExecutions } from "./pipeline/executions.ts";
import { type Connection, openDatabase } from "./sqlite/open.ts";

/** Statistics are not worth making anybody wait: neither the sensor nor the deliveries. */
const BUSY_TIMEOUT_MS = 250;

const MOST_PER_TRANSACTION = 1_000;

/** What the uploader writes into the control tables. */
export interface ControlWriter {
  /** Tells `pipeline_executions` what has become of the objects, in a short transaction. */
  recordExecutions(): void;
  close(): void;
}

export interface ControlWriterOptions {
  /** The database with the control tables. */
  readonly path: string;
  /** Whether the file may be made: where it is not the sensor's own. */
  readonly mayCreate: boolean;
  readonly state: State;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Opens the control tables for writing and makes them where they are missing. Where that is not possible,
 * rows are shipped all the same, as `raw` until somebody has set another type, and without statistics.
 */
export function openControlWriter({
  path,
  mayCreate,
  state,
  clock,
  log,
}: ControlWriterOptions): ControlWriter {
  let db: Connection | null = null;
  try {
    db = openDatabase(path, { mode: mayCreate ? "create" : "write", busyTimeoutMs: BUSY_TIMEOUT_MS });
    // One by one: a statistics table that cannot serve does not stand in the way of the other.
    for (const table of [CONFIG_TABLE, EXECUTIONS_TABLE]) ensureControlTables(db, [table]);
  } catch (err) {
    if (!(err instanceof UploaderError)) throw err;
    if (err.code === "SOURCE_MISSING" || err.code === "SOURCE_NOT_A_DATABASE") throw err;
    log.warn(
      { err },
      "the control tables cannot be written now: no statistics until they can; set `pipeline_db` where the sensor's database is read-only",
    );
  }

  function recordAll(db: Connection): void {
    for (;;) {
      const changes = readExecutionChanges(state, MOST_PER_TRANSACTION);
      if (changes.length === 0) return;
      const entries = changes.map(({ object, status, deliveredAt, error }) => ({
        configId: object.revisionId,
        pipelineType: object.pipelineType,
        tableName: object.table,
        bucket: object.bucket,
        objectKey: object.key,
        records: object.rows,
        bytes: object.bytes,
        firstRowid: object.firstRowid,
        lastRowid: object.lastRowid,
        startedAt: object.startedAt,
        completedAt: deliveredAt,
        status,
        error,
      }));
      failpoint("before-record");
      recordExecutions(db, entries, { now: clock.now() });
      failpoint("after-record");
      markRecorded(state, changes);
      failpoint("after-mark-recorded");
    }
  }

  return {
    recordExecutions() {
      try {
        if (db) recordAll(db);
        else markRecorded(state, readExecutionChanges(state, MOST_PER_TRANSACTION));
      } catch (error) {
        const err = describeStateError(error, state.files.database);
        if (!(err instanceof UploaderError) || !isPassing(err)) throw err;
        log.debug({ err }, "the statistics in pipeline_executions wait for the next cycle");
      }
    },
    close: () => db?.close(),
  };
}
