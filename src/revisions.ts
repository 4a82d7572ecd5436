import type { Clock } from "./core/clock.ts";
import type { Revision } from "./core/types.ts";
import type { Logger } from "./observe/logger.ts";
import { chooseRevision } from "./pipeline/revision.ts";
import { createRevisionReader } from "./pipeline/revision-reader.ts";
import type { Connection } from "./sqlite/open.ts";

export interface Revisions {
  /** The revision in effect, as the current transaction of the connection sees it. */
  read(): Revision;
  /** When the revision that was last read ends by itself, in milliseconds since the epoch. */
  readonly nextExpiryMs: number | null;
}

/** Follows `pipeline_config` on one connection, and says once what is odd about it. */
export function followRevisions(
  db: Connection,
  lastKnown: Revision | null,
  { clock, log }: { readonly clock: Clock; readonly log: Logger },
): Revisions {
  const reader = createRevisionReader(db);
  let nextExpiryMs: number | null = null;
  let warned: string | undefined;
  return {
    read() {
      const now = clock.now();
      const chosen = chooseRevision(reader.read(now), lastKnown, now);
      lastKnown = chosen.revision;
      nextExpiryMs = chosen.nextExpiryMs;
      if (chosen.warning !== undefined && chosen.warning !== warned) log.warn(chosen.warning);
      warned = chosen.warning;
      return chosen.revision;
    },
    get nextExpiryMs() {
      return nextExpiryMs;
    },
  };
}
