import type { PipelineQuery, QuerySettings, Revision, RowRange, SourceSchema } from "./core/types.ts";
import type { ColumnBatch } from "./encode/column-batch.ts";
import { MAX_ROW_BYTES } from "./encode/row-limit.ts";
import type { Hold } from "./outbox/sources.ts";
import { QUERIES } from "./query/query.ts";
import { MAX_READ_ROWS, readLimits } from "./read-limits.ts";
import { readRoutes } from "./read-routes.ts";
import { createBehindWatch } from "./source/behind.ts";
import { type Continuity, checkContinuity, type Position, positionAt } from "./source/continuity.ts";
import { type Footing, noteFooting, rememberedOf } from "./source/footing.ts";
import type { SourceHazard } from "./source/hazards.ts";
import { inspectTable, isSameSchema } from "./source/inspect.ts";
import { createNumberingWatch } from "./source/numbering.ts";
import { withoutOversized } from "./source/oversized.ts";
import { type CountedRange, endingAt, largestRowid, nextRange, nextUncoveredRange } from "./source/range.ts";
import { type Connection, describeSqliteError } from "./sqlite/open.ts";

/** How long after its end a window is still waited for, for rows that are written late. */
const WINDOW_GRACE_MS = 5_000;

/** What all reads of one extraction have in common, so that no object mixes them. */
export interface ReadContext {
  readonly revision: Revision;
  readonly schema: SourceSchema;
  readonly query: PipelineQuery;
}

export interface ReadRequest {
  readonly cursor: bigint | null;
  /** Rows beyond the cursor that are delivered already, in order; left out: none are. */
  readonly covered?: readonly RowRange[];
  /** The highest first. */
  readonly positions: readonly Position[];
  /** Of the rows up to the cursor; null where nothing is remembered. */
  readonly footing: Footing | null;
  readonly hold: Hold | null;
  /** Of the extraction that goes on; null: a new one takes what is in effect. */
  readonly context: ReadContext | null;
  readonly maxRows: number;
  /** Whether rows are shipped even if their window is still open. */
  readonly shipOpenWindows: boolean;
}

export type ReadOutcome =
  | {
      readonly kind: "rows";
      readonly context: ReadContext;
      readonly range: RowRange;
      readonly sourceRows: number;
      /** For each route of the query, its rows; null where there are none. */
      readonly batches: readonly (ColumnBatch | null)[];
      /** Of the last row. */
      readonly position: Position;
      readonly footing: Footing | null;
      /** Whether there was no further row: one that is there by now can wait for the next cycle. */
      readonly isLast: boolean;
    }
  /** No rows behind the cursor. */
  | { readonly kind: "nothing"; readonly revision: Revision }
  /** Only rows whose window is still open. */
  | { readonly kind: "held"; readonly revision: Revision; readonly hold: Hold }
  /** The revision or the schema is no longer that of the extraction. */
  | { readonly kind: "changed" }
  /** The source was replaced: the rows behind the cursor do not follow those that were shipped. */
  | {
      readonly kind: "replaced";
      readonly resumeAfter: bigint | null;
      /** Of the rows up to there. */
      readonly footing: Footing | null;
      readonly reason: string;
    };

export type RowsRead = Extract<ReadOutcome, { kind: "rows" }>;

export interface SourceReader {
  /** One short read transaction. */
  read(request: ReadRequest): ReadOutcome;
  /**
   * Whether a commit since the last look has brought a row behind the cursor that is an emergency, as long as that is
   * the pipeline type; microseconds where nothing was committed.
   */
  hasEmergency(cursor: bigint | null): boolean;
  /** Takes rows that were read, here or elsewhere, among those that are watched for others that come between them. */
  watch(read: RowsRead): void;
}

export interface SourceReaderOptions {
  readonly db: Connection;
  readonly table: string;
  readonly timestampColumn: string | null;
  readonly settings: QuerySettings;
  /** The revision in effect, as the current transaction of `db` sees it. */
  readonly readRevision: () => Revision;
  readonly now: () => number;
  /** Told of what can be seen but not mended. */
  readonly onHazard?: (hazard: SourceHazard) => void;
}

/** Reads a source in short transactions, each of which sees one schema, one revision and one set of rows. */
export function createSourceReader(options: SourceReaderOptions): SourceReader {
  const { db, table, timestampColumn, settings, readRevision, now, onHazard = () => {} } = options;
  const behind = createBehindWatch();
  const numbering = createNumberingWatch(db);
  const schemaVersion = db.prepare("PRAGMA main.schema_version").pluck();
  const dataVersion = db.prepare("PRAGMA main.data_version").pluck();
  let schema: SourceSchema | null = null;
  let inspectedAt: unknown;
  let lookedAt: unknown;

  function currentSchema(): SourceSchema {
    const version = schemaVersion.get();
    if (schema && version === inspectedAt) return schema;
    schema = inspectTable(db, table, { timestampColumn });
    inspectedAt = version;
    return schema;
  }

  function followsOn(schema: SourceSchema, { cursor, footing, positions, covered }: ReadRequest): Continuity {
    const coveredBehind = (rowid: bigint | null) => firstBehind(covered ?? [], rowid);
    if (!numbering.mayHaveChanged(schema, footing?.numbering ?? null, coveredBehind))
      return upToCursor(checkContinuity(db, schema, rememberedOf(positions, footing)), cursor);
    // Positions are of timestamps, which rows that were moved may share.
    const reason = "VACUUM may have given its rows other rowids, since it declares no INTEGER PRIMARY KEY";
    return { continues: false, resumeAfter: null, reason };
  }

  return {
    read: (request) =>
      inTransaction(db, (): ReadOutcome => {
        const context = readContext(currentSchema(), readRevision(), request.context, settings);
        if (context === null) return { kind: "changed" };
        const { revision } = context;
        const continuity = followsOn(context.schema, request);
        if (!continuity.continues) {
          const { resumeAfter, reason } = continuity;
          if (nextRange(db, context.schema, resumeAfter, 1) === null) return { kind: "nothing", revision };
          const footing =
            resumeAfter === null ? null : noteFooting(db, context.schema, resumeAfter, numbering);
          return { kind: "replaced", resumeAfter, footing, reason };
        }
        const isFirst = request.context === null;
        const hazard = isFirst && behind.look(db, context.schema, request.cursor);
        if (hazard) onHazard(hazard);
        const { maxRows, maxBytes } = readLimits(db, context.query, isFirst);
        const limit = Math.min(request.maxRows, maxRows);
        const coveredBehind = (rowid: bigint | null) => firstBehind(request.covered ?? [], rowid);
        const all = nextUncoveredRange(db, context.schema, request.cursor, limit, coveredBehind);
        if (all === null) return { kind: "nothing", revision };
        return withoutOversized(db, context.schema, all, MAX_ROW_BYTES, (counted, omitted) => {
          const closed = request.shipOpenWindows
            ? counted
            : beforeOpenWindow(db, context, counted, request.hold, now());
          if ("hold" in closed) return { kind: "held", revision, hold: closed.hold };
          const { range, batches } = readRoutes(db, context, closed, { omitted, onHazard, maxBytes });
          const position = positionAt(db, context.schema, range.last);
          const footing = noteFooting(db, context.schema, range.last, numbering);
          for (const value of omitted) onHazard({ kind: "omitted", ...value });
          const isLast = range.last === all.last && all.rows < limit && coveredBehind(range.last) === null;
          return { kind: "rows", context, range, sourceRows: range.rows, batches, position, footing, isLast };
        });
      }),
    hasEmergency(cursor) {
      const version = dataVersion.get();
      if (version === lookedAt) return false;
      return inTransaction(db, () => {
        const { query, schema } = readContext(currentSchema(), readRevision(), null, settings) as ReadContext;
        const emergency = query.routes.find(({ route }) => route.type === "emergency");
        const range = emergency ? nextRange(db, schema, cursor, MAX_READ_ROWS) : null;
        lookedAt = version;
        if (!emergency || range === null) return false;
        const { first, last } = range;
        const found = db.prepare(`SELECT EXISTS (${emergency.sql})`).pluck();
        return found.get({ ...emergency.parameters, first, last }) === 1n;
      });
    },
    watch({ context, range, sourceRows }) {
      const exhausted = behind.noteRead(context.schema, { ...range, rows: sourceRows });
      if (exhausted) onHazard(exhausted);
    },
  };
}

/** Behind a rebuild, rows beyond the cursor are known too, and before them may be some that are still to be sent. */
function upToCursor(continuity: Continuity, cursor: bigint | null): Continuity {
  if (continuity.continues || continuity.resumeAfter === null) return continuity;
  const isBeyond = cursor === null || continuity.resumeAfter > cursor;
  return isBeyond ? { ...continuity, resumeAfter: cursor } : continuity;
}

/** The first of these ranges, which are in order, that has rows behind a cursor. */
export function firstBehind(ranges: readonly RowRange[], cursor: bigint | null): RowRange | null {
  return ranges.find(({ last }) => cursor === null || last > cursor) ?? null;
}

/** What SQLite says of the source, as an error for the operator. */
function inTransaction<Result>(db: Connection, work: () => Result): Result {
  try {
    return db.transaction(work)();
  } catch (error) {
    throw describeSqliteError(error, db.name);
  }
}

/** The context of this read, or null where it is not that of the extraction that goes on. */
function readContext(
  schema: SourceSchema,
  revision: Revision,
  expected: ReadContext | null,
  settings: QuerySettings,
): ReadContext | null {
  if (expected === null) return { schema, revision, query: QUERIES[revision.type](schema, settings) };
  const isSameRevision = expected.revision.id === revision.id && expected.revision.type === revision.type;
  const isSame = isSameRevision && (expected.schema === schema || isSameSchema(expected.schema, schema));
  return isSame ? expected : null;
}

/**
 * The part of a range before the first row whose window is still open, or the hold on that row where it is
 * the first of all. After a window's length and a grace, a hold ends for the rows that were there when it
 * began, so that a sensor whose clock runs in the future does not stall the others.
 */
function beforeOpenWindow(
  db: Connection,
  { query, schema }: ReadContext,
  range: CountedRange,
  hold: Hold | null,
  now: number,
): CountedRange | { readonly hold: Hold } {
  const { firstOpenRow } = query;
  if (firstOpenRow === null) return range;
  if (
    hold &&
    range.first <= hold.through &&
    now >= hold.since + firstOpenRow.windowSeconds * 1000 + WINDOW_GRACE_MS
  )
    return range.last <= hold.through ? range : endingAt(db, schema, range, hold.through);

  const openRow = db
    .prepare(firstOpenRow.sql)
    .pluck()
    .get({
      ...firstOpenRow.parameters,
      first: range.first,
      last: range.last,
      now: BigInt(now - WINDOW_GRACE_MS) * 1000n,
    }) as bigint | null | undefined;
  if (openRow === null || openRow === undefined) return range;
  if (openRow > range.first) return endingAt(db, schema, range, openRow - 1n);
  // One that began in the future began before the clock was set back, and would last too long.
  if (hold?.row === openRow && hold.since <= now) return { hold };
  return { hold: { row: openRow, through: largestRowid(db, schema) ?? openRow, since: now } };
}
