import type { PipelineType } from "../core/types.ts";
import {
  chooseRevision,
  DEFAULT_REVISION,
  type FoundRevision,
  foundType,
  type RecordedRevision,
} from "../pipeline/revision.ts";
import { readEffectiveRevision, readHistory } from "../pipeline/revision-reader.ts";
import { setPipelineType, type TypeChange } from "../pipeline/set-type.ts";
import { type ExecutionStats, readStats } from "../pipeline/stats.ts";
import { readControl } from "../pipeline/transaction.ts";
import type { Connection } from "../sqlite/open.ts";

/**
 * What `pipeline-manager … --json` prints: one document per command, keys in camelCase, times ISO 8601 in UTC,
 * null for what there is not. The terminal's text is made from the same documents. Keys are only ever added.
 */
export interface CurrentDocument {
  readonly database: string;
  /** What the newest unexpired revision asks for. */
  readonly type: string;
  /** False where this version does not know the type; an uploader of this version then keeps its last one. */
  readonly known: boolean;
  /** The revision; 0 where nobody has set a type yet. */
  readonly id: number;
  readonly updatedAt: string | null;
  readonly updatedBy: string;
  readonly reason: string | null;
  readonly expiresAt: string | null;
  /** The type after `expiresAt`, if nobody sets another. */
  readonly afterExpiry: string | null;
  readonly warning: string | null;
}

/** What `set` did. */
export interface ChangeDocument {
  readonly database: string;
  readonly type: PipelineType;
  readonly id: number;
  readonly updatedAt: string;
  readonly updatedBy: string;
  readonly reason: string | null;
  readonly expiresAt: string | null;
  readonly afterExpiry: string | null;
  readonly previousType: string;
}

export interface HistoryDocument {
  readonly database: string;
  /** Newest first. */
  readonly revisions: readonly (RecordedRevision & {
    readonly state: "effective" | "superseded" | "expired";
  })[];
}

export interface StatsDocument extends ExecutionStats {
  readonly database: string;
  readonly since: string | null;
  readonly now: string;
}

export function currentDocument(db: Connection, now: number): CurrentDocument {
  return readControl(db, () => {
    const found = readEffectiveRevision(db, now);
    const recorded = recordedOf(found);
    return {
      database: db.name,
      type: recorded.type,
      known: found.kind !== "unknownType",
      id: recorded.id,
      updatedAt: recorded.id === DEFAULT_REVISION.id ? null : recorded.updatedAt,
      updatedBy: recorded.updatedBy,
      reason: recorded.reason,
      expiresAt: recorded.expiresAt,
      afterExpiry: typeAfter(db, found),
      warning: warningOf(found, now),
    };
  });
}

export function changeDocument(db: Connection, change: TypeChange): ChangeDocument {
  const { revision, previous } = setPipelineType(db, change);
  const { id, type, updatedAt, updatedBy, reason, expiresAt } = revision;
  const afterExpiry = expiresAt === null ? null : foundType(readEffectiveRevision(db, Date.parse(expiresAt)));
  return {
    database: db.name,
    type,
    id,
    updatedAt,
    updatedBy,
    reason,
    expiresAt,
    afterExpiry,
    previousType: foundType(previous),
  };
}

export function historyDocument(db: Connection, limit: number, now: number): HistoryDocument {
  return readControl(db, () => {
    const effective = recordedOf(readEffectiveRevision(db, now)).id;
    const revisions = readHistory(db, limit).map((revision) => ({
      ...revision,
      state: stateOf(revision, effective, now),
    }));
    return { database: db.name, revisions };
  });
}

/** `sinceSeconds` undefined: all there is. */
export function statsDocument(db: Connection, sinceSeconds: number | undefined, now: number): StatsDocument {
  const since = sinceSeconds === undefined ? null : now - sinceSeconds * 1_000;
  return {
    database: db.name,
    since: since === null ? null : new Date(since).toISOString(),
    now: new Date(now).toISOString(),
    ...readStats(db, { since, now }),
  };
}

function recordedOf(found: FoundRevision): RecordedRevision {
  if (found.kind === "missing") return DEFAULT_REVISION;
  return found.kind === "revision" ? found.revision : found.recorded;
}

function typeAfter(db: Connection, found: FoundRevision): string | null {
  if (found.kind === "missing" || found.nextExpiryMs === null) return null;
  return foundType(readEffectiveRevision(db, found.nextExpiryMs));
}

function warningOf(found: FoundRevision, now: number): string | null {
  // What an uploader knew last, it alone knows.
  if (found.kind === "unknownType")
    return `This version does not know the type ${JSON.stringify(found.unknownType)}; an uploader of this version keeps the type it knew last.`;
  return chooseRevision(found, null, now).warning ?? null;
}

function stateOf(
  revision: RecordedRevision,
  effective: number,
  now: number,
): HistoryDocument["revisions"][number]["state"] {
  if (revision.id === effective) return "effective";
  return revision.expiresAt !== null && Date.parse(revision.expiresAt) <= now ? "expired" : "superseded";
}
