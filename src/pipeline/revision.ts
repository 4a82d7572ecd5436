import type { PipelineType, Revision } from "../core/types.ts";

/** What is in effect before anybody has set a type. */
export const DEFAULT_REVISION: Revision = {
  id: 0,
  type: "raw",
  updatedAt: "1970-01-01T00:00:00.000Z",
  updatedBy: "system",
  reason: "Initial setup",
  expiresAt: null,
};

/** A row of `pipeline_config`, whose type this version may not know. Times are ISO 8601, UTC, where readable. */
export interface RecordedRevision extends Omit<Revision, "type"> {
  readonly type: string;
}

/** What a look into the control tables found. Milliseconds are since the Unix epoch. */
export type FoundRevision =
  | {
      readonly kind: "revision";
      readonly revision: Revision;
      /** When to look again, because the revision ends by itself. */
      readonly nextExpiryMs: number | null;
      /** The expiry as it stands in the table where it is not a time; the revision then does not expire. */
      readonly unreadableExpiry: string | null;
    }
  | {
      readonly kind: "unknownType";
      readonly id: number;
      readonly unknownType: string;
      readonly recorded: RecordedRevision;
      readonly nextExpiryMs: number | null;
    }
  /** No table, or one without a single row. */
  | { readonly kind: "missing" };

export interface ChosenRevision {
  readonly revision: Revision;
  readonly nextExpiryMs: number | null;
  /** The same text for as long as the cause lasts, so that it can be logged once. */
  readonly warning?: string;
}

/**
 * Decides what is in effect from what was found now and what was in effect before (null: nothing yet). A type
 * that this version does not know, and a history that has vanished, keep the last known revision, but not
 * beyond its own expiry, which whoever set it was promised.
 */
export function chooseRevision(
  found: FoundRevision,
  lastKnown: Revision | null,
  now: number,
): ChosenRevision {
  switch (found.kind) {
    case "revision": {
      const { revision, nextExpiryMs, unreadableExpiry } = found;
      if (unreadableExpiry === null) return { revision, nextExpiryMs };
      const warning = `Revision ${revision.id} of pipeline_config expires at ${JSON.stringify(unreadableExpiry)}, which is not a time: ${revision.type} stays until another type is set.`;
      return { revision, nextExpiryMs, warning };
    }
    case "unknownType": {
      const kept = keep(lastKnown, now);
      const warning = `Revision ${found.id} of pipeline_config asks for ${JSON.stringify(found.unknownType)}, a pipeline type that this version does not know: ${kept.revision.type} stays in effect.`;
      return { ...kept, nextExpiryMs: earlier(kept.nextExpiryMs, found.nextExpiryMs), warning };
    }
    case "missing": {
      const kept = keep(lastKnown, now);
      if (lastKnown === null || lastKnown.id === DEFAULT_REVISION.id) return kept;
      const warning = `The history in pipeline_config has vanished: ${kept.revision.type} stays in effect until a type is set.`;
      return { ...kept, warning };
    }
  }
}

/** The type that was found, for people; one that is not known comes as it was written. */
export function foundType(found: FoundRevision): PipelineType | string {
  if (found.kind === "missing") return DEFAULT_REVISION.type;
  return found.kind === "revision" ? found.revision.type : found.unknownType;
}

function keep(lastKnown: Revision | null, now: number): ChosenRevision {
  const revision = lastKnown ?? DEFAULT_REVISION;
  const expiry = revision.expiresAt === null ? Number.NaN : Date.parse(revision.expiresAt);
  if (expiry <= now) return { revision: DEFAULT_REVISION, nextExpiryMs: null };
  return { revision, nextExpiryMs: Number.isNaN(expiry) ? null : expiry };
}

function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}
