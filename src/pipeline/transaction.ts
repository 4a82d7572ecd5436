import { UploaderError } from "../core/errors.ts";
import { type Connection, describeSqliteError } from "../sqlite/open.ts";

/**
 * Runs `write` in one BEGIN IMMEDIATE: a deferred transaction that comes to write fails at once with
 * SQLITE_BUSY_SNAPSHOT, whatever the busy timeout.
 */
export function writeControl<Result>(db: Connection, write: () => Result): Result {
  if (db.inTransaction) return write();
  try {
    return db.transaction(write).immediate();
  } catch (error) {
    throw describeControlError(error, db);
  }
}

/** Runs `read` in the caller's transaction, else in a short one of its own, so that it sees one moment. */
export function readControl<Result>(db: Connection, read: () => Result): Result {
  try {
    return db.inTransaction ? read() : db.transaction(read).deferred();
  } catch (error) {
    throw describeControlError(error, db);
  }
}

/** A constraint or trigger of an older system's table that stands in the way is the operator's to remove. */
function describeControlError(error: unknown, db: Connection): unknown {
  const described = describeSqliteError(error, db.name);
  if (described instanceof UploaderError || !(error instanceof Error) || error.name !== "SqliteError")
    return described;
  return new UploaderError({
    code: "CONTROL_UNAVAILABLE",
    message: `The control tables in ${db.name} cannot be used: ${error.message}.`,
    hint: "Rename pipeline_config and pipeline_executions there if another system made them, or set pipeline_db to another file.",
    cause: error,
  });
}
