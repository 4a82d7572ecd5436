import type { Clock } from "./core/clock.ts";
import type { Revision } from "./core/types.ts";
import type { Logger } from "./observe/logger.ts";
import { chooseRevision, DEFAULT_REVISION } from "./pipeline/revision.ts";
import { createRevisionReader } from "./pipeline/revision-reader.ts";
import { type Connection, describeSqliteError } from "./sqlite/open.ts";

/** The revision in effect, followed on one connection. */
export interface Revisions {
  /**
   * As the current transaction of the connection sees it.
   *
   * @throws {UploaderError} where the control tables cannot be read
   */
  read(): Revision;
  /** As `read`, but the last known one where the control tables cannot be read at the moment. */
  latest(): Revision;
  /** Whether another one than `known` is in effect; microseconds where no other process has committed. */
  hasChanged(known: Revision): boolean;
}

/** Follows `pipeline_config`, and says once what is odd about it. */
export function followRevisions(
  db: Connection,
  lastKnown: Revision | null,
  { clock, log }: { readonly clock: Clock; readonly log: Pick<Logger, "warn" | "debug"> },
): Revisions {
  const reader = createRevisionReader(db);
  const dataVersion = db.prepare("PRAGMA main.data_version").pluck();
  let seenVersion: unknown;
  let nextExpiryMs: number | null = null;
  let warned: string | undefined;

  function read(): Revision {
    const now = clock.now();
    const chosen = chooseRevision(reader.read(now), lastKnown, now);
    lastKnown = chosen.revision;
    nextExpiryMs = chosen.nextExpiryMs;
    if (chosen.warning !== undefined && chosen.warning !== warned) log.warn(chosen.warning);
    warned = chosen.warning;
    return chosen.revision;
  }

  function whileReadable<Result>(look: () => Result, otherwise: Result): Result {
    try {
      return look();
    } catch (error) {
      const err = describeSqliteError(error, db.name);
      log.debug({ err }, "the control tables cannot be read at the moment");
      return otherwise;
    }
  }

  return {
    read,
    latest: () => whileReadable(read, lastKnown ?? DEFAULT_REVISION),
    hasChanged: (known) =>
      whileReadable(() => {
        const version = dataVersion.get();
        const hasExpired = nextExpiryMs !== null && nextExpiryMs <= clock.now();
        if (version === seenVersion && !hasExpired) return false;
        const { id, type } = read();
        seenVersion = version; // only now: a read that failed is made up for by the next look
        return id !== known.id || type !== known.type;
      }, false),
  };
}
