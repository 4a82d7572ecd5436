import { isPipelineType } from "../core/types.ts";
import type { Connection } from "../sqlite/open.ts";
import { CONFIG_TABLE, controlSubquery } from "./control-tables.ts";
import { DEFAULT_REVISION, type FoundRevision, type RecordedRevision } from "./revision.ts";
import { readControl } from "./transaction.ts";

export interface RevisionReader {
  /**
   * The newest revision that has not expired at `now` (milliseconds since the epoch). Newest is by id:
   * clocks of edge machines jump.
   *
   * @throws {UploaderError} CONTROL_UNAVAILABLE where `pipeline_config` is some other table, and what
   * {@link describeSqliteError} makes of SQLite's errors
   */
  read(now: number): FoundRevision;
}

/**
 * A reader to be kept and called for every read of rows: it costs some microseconds, writes nothing, works on a
 * read-only connection, and takes part in the caller's transaction where there is one. Tables that appear,
 * change or vanish meanwhile are noticed.
 */
export function createRevisionReader(db: Connection): RevisionReader {
  const schemaVersion = db.prepare("PRAGMA main.schema_version").pluck().safeIntegers(false);
  let prepared: Prepared | null = null;
  let preparedFor: unknown;

  function read(now: number): FoundRevision {
    const version = schemaVersion.get();
    if (version !== preparedFor) {
      prepared = prepareFor(db);
      preparedFor = version;
    }
    return prepared === null ? { kind: "missing" } : find(prepared, now);
  }

  return { read: (now) => readControl(db, () => read(now)) };
}

/** One look, for programs that look once. */
export function readEffectiveRevision(db: Connection, now: number): FoundRevision {
  return readControl(db, () => createRevisionReader(db).read(now));
}

/**
 * The newest revisions, newest first, expired ones and unknown types included; empty where there is no table.
 *
 * @throws {UploaderError} as {@link RevisionReader.read}
 */
export function readHistory(db: Connection, limit: number): RecordedRevision[] {
  return readControl(db, () => {
    const table = controlSubquery(db, CONFIG_TABLE);
    if (table === null) return [];
    const rows = db
      .prepare(`SELECT ${COLUMNS} FROM ${table} ORDER BY id DESC LIMIT ?`)
      .safeIntegers(false)
      .all(limit);
    return (rows as ConfigRow[]).map(toRecorded);
  });
}

interface ConfigRow {
  readonly id: number;
  readonly type: string;
  readonly updatedAt: string;
  readonly updatedBy: string;
  readonly reason: string | null;
  readonly storedExpiry: string | null;
  readonly expiry: string | null;
}

interface Prepared {
  readonly newestUnexpired: { get(parameters: { now: string }): unknown };
  readonly anyRow: { get(): unknown };
}

/** SQLite reads every form that its own functions and other systems write, and gives back ours. */
const isoTime = (column: string) => `strftime('%Y-%m-%dT%H:%M:%fZ', ${column})`;

const COLUMNS = `id, CAST(pipeline_type AS TEXT) AS type,
  coalesce(${isoTime("updated_at")}, CAST(updated_at AS TEXT), '') AS updatedAt,
  coalesce(CAST(updated_by AS TEXT), 'unknown') AS updatedBy, CAST(reason AS TEXT) AS reason,
  CAST(expires_at AS TEXT) AS storedExpiry, ${isoTime("expires_at")} AS expiry`;

/** The form in which we write times, which can be compared as text without being parsed. */
const OUR_FORM = "____-__-__T__:__:__.___Z".replaceAll("_", "[0-9]");

function prepareFor(db: Connection): Prepared | null {
  const table = controlSubquery(db, CONFIG_TABLE);
  if (table === null) return null;
  return {
    newestUnexpired: db
      .prepare(
        `SELECT ${COLUMNS} FROM ${table}
         WHERE CASE WHEN expires_at GLOB '${OUR_FORM}' THEN expires_at > @now
               ELSE coalesce(${isoTime("expires_at")} > @now, 1) END
         ORDER BY id DESC LIMIT 1`,
      )
      .safeIntegers(false),
    anyRow: db.prepare(`SELECT 1 FROM ${table} LIMIT 1`),
  };
}

function find({ newestUnexpired, anyRow }: Prepared, now: number): FoundRevision {
  const row = newestUnexpired.get({ now: new Date(now).toISOString() }) as ConfigRow | undefined;
  if (row === undefined) {
    if (anyRow.get() === undefined) return { kind: "missing" };
    return { kind: "revision", revision: DEFAULT_REVISION, nextExpiryMs: null, unreadableExpiry: null };
  }
  const recorded = toRecorded(row);
  const nextExpiryMs = row.expiry === null ? null : Date.parse(row.expiry);
  const { type } = recorded;
  if (!isPipelineType(type))
    return { kind: "unknownType", id: row.id, unknownType: type, recorded, nextExpiryMs };
  const unreadableExpiry = row.expiry === null ? row.storedExpiry : null;
  // A revision's expiry is a time or null; the text that is neither goes into the warning.
  return {
    kind: "revision",
    revision: { ...recorded, type, expiresAt: row.expiry },
    nextExpiryMs,
    unreadableExpiry,
  };
}

function toRecorded(row: ConfigRow): RecordedRevision {
  const { id, type, updatedAt, updatedBy, reason } = row;
  return { id, type, updatedAt, updatedBy, reason, expiresAt: row.expiry ?? row.storedExpiry };
}
