import { userInfo } from "node:os";
import type { PipelineType, Revision } from "../core/types.ts";
import type { Connection } from "../sqlite/open.ts";
import { CONFIG_TABLE, ensureControlTables } from "./control-tables.ts";
import type { FoundRevision } from "./revision.ts";
import { readEffectiveRevision } from "./revision-reader.ts";
import { writeControl } from "./transaction.ts";

export interface TypeChange {
  readonly type: PipelineType;
  /** Who asks for it; the operating system's user where it is left out. */
  readonly by?: string | undefined;
  readonly reason?: string | null | undefined;
  /** After so many seconds the revision before it, if that has not expired, is in effect again. */
  readonly forSeconds?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/**
 * Appends a revision, in one immediate transaction, and makes `pipeline_config` where it is missing. The
 * type that is in effect already is recorded as well: somebody asked for it, and gave a reason.
 * Not to be called inside a transaction.
 *
 * @returns the revision, and what was in effect when it was written
 * @throws {UploaderError} SOURCE_LOCKED, SOURCE_UNREADABLE or CONTROL_UNAVAILABLE
 */
export function setPipelineType(
  db: Connection,
  change: TypeChange,
): { readonly revision: Revision; readonly previous: FoundRevision } {
  // In WAL mode better-sqlite3 commits without a sync, and an id lost to a power cut would be given again.
  db.pragma("synchronous = FULL");
  return writeControl(db, () => {
    const previous = readEffectiveRevision(db, change.now);
    ensureControlTables(db, [CONFIG_TABLE]);
    return { revision: append(db, change), previous };
  });
}

function append(db: Connection, { type, by, reason, forSeconds, now }: TypeChange): Revision {
  const row = {
    type,
    updatedAt: new Date(now).toISOString(),
    updatedBy: by ?? operatingSystemUser(),
    reason: reason ?? null,
    expiresAt: forSeconds === undefined ? null : new Date(now + forSeconds * 1000).toISOString(),
  };
  const { lastInsertRowid } = db
    .prepare(
      `INSERT INTO main.pipeline_config(pipeline_type, updated_at, updated_by, reason, expires_at)
       VALUES (@type, @updatedAt, @updatedBy, @reason, @expiresAt)`,
    )
    .run(row);
  return { id: Number(lastInsertRowid), ...row };
}

/** A container may run under a number that has no name. */
function operatingSystemUser(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? "unknown"}`;
  }
}
