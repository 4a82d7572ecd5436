import { UploaderError } from "../../src/core/errors.ts";
import { describeSqliteError, openDatabase } from "../../src/sqlite/open.ts";
import { sizeOf } from "./examine.ts";
import { findHolders, type Holders } from "./file-holders.ts";

export interface Checkpoint {
  readonly path: string;
  readonly walBytesBefore: number;
  readonly walBytesAfter: number;
  /** Whether another connection was in the way, so that the log could not be emptied. */
  readonly busy: boolean;
  readonly holders: Holders | null;
}

/** As long as a writer's transaction may last before it is named as being in the way. */
const PATIENCE_MS = 5_000;

/**
 * Moves the write-ahead log into the database and cuts it to nothing, which others may go on beside:
 * https://sqlite.org/pragma.html#pragma_wal_checkpoint
 *
 * @throws {UploaderError} SOURCE_UNSUPPORTED where there is no log, and what {@link openDatabase} throws
 */
export function checkpointDatabase(path: string): Checkpoint {
  const walBytesBefore = sizeOf(`${path}-wal`);
  const db = openDatabase(path, { mode: "write", busyTimeoutMs: PATIENCE_MS });
  try {
    const mode = String(db.pragma("journal_mode", { simple: true }));
    if (mode !== "wal")
      throw new UploaderError({
        code: "SOURCE_UNSUPPORTED",
        message: `${path} has no write-ahead log: its journal mode is ${mode}.`,
        hint: "Do nothing; or give it one by `PRAGMA journal_mode = WAL`, once.",
      });
    const [row] = db.pragma("wal_checkpoint(TRUNCATE)") as { busy: number }[];
    const walBytesAfter = sizeOf(`${path}-wal`);
    return { path, walBytesBefore, walBytesAfter, busy: row?.busy === 1, holders: findHolders(path) };
  } catch (error) {
    throw describeSqliteError(error, path);
  } finally {
    db.close();
  }
}
