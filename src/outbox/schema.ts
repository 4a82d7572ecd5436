import { UploaderError } from "../core/errors.ts";
import type { Connection } from "../sqlite/open.ts";
import { writeSeal } from "./seal.ts";

/** What each version of the state added; a state of version n has run the first n of them. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE identity (
     state_id TEXT NOT NULL,
     created_at TEXT NOT NULL
   ) STRICT;

   -- One row per source of a node. A new node id begins afresh, so the node is part of the key.
   CREATE TABLE sources (
     id INTEGER PRIMARY KEY,
     node TEXT NOT NULL,
     table_name TEXT NOT NULL,
     generation INTEGER NOT NULL,
     cursor INTEGER,                      -- null: nothing extracted yet in this generation
     rowid_spaces TEXT NOT NULL,          -- JSON: the generations within which a rowid means the same row
     next_sequence INTEGER NOT NULL,
     destination TEXT NOT NULL,           -- JSON: kind, place and buckets
     epoch INTEGER NOT NULL,              -- of the ownership marker, as last intended; 0: never owned
     revision TEXT,                       -- JSON: the last known one
     hold_row INTEGER,                    -- the first row of an open window that is waited for
     hold_through INTEGER,                -- the largest rowid when the wait began
     hold_since INTEGER,                  -- ms since the epoch
     delivered_objects INTEGER NOT NULL DEFAULT 0,
     delivered_rows INTEGER NOT NULL DEFAULT 0,
     delivered_bytes INTEGER NOT NULL DEFAULT 0,
     UNIQUE (node, table_name)
   ) STRICT;

   -- Recent positions of a source, each with a digest of its row, by which a replaced source is noticed.
   CREATE TABLE positions (
     source_id INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
     ordinal INTEGER NOT NULL,            -- 1, 2, 3 … within the source
     rowid_value INTEGER NOT NULL,
     basis TEXT NOT NULL,                 -- JSON: the columns of the digest
     digest TEXT NOT NULL,
     PRIMARY KEY (source_id, ordinal)
   ) STRICT, WITHOUT ROWID;

   -- Rows beyond the cursor that a rebuild found delivered; forgotten once the cursor is past them.
   CREATE TABLE covered_ranges (
     source_id INTEGER NOT NULL REFERENCES sources (id) ON DELETE CASCADE,
     first_rowid INTEGER NOT NULL,
     last_rowid INTEGER NOT NULL,
     PRIMARY KEY (source_id, last_rowid)
   ) STRICT, WITHOUT ROWID;

   -- The outbox. A row is listed with its extraction, struck when the sink has confirmed it, and deleted
   -- when pipeline_executions has heard of it.
   CREATE TABLE objects (
     id INTEGER PRIMARY KEY AUTOINCREMENT,
     source_id INTEGER NOT NULL REFERENCES sources (id),
     generation INTEGER NOT NULL,
     sequence INTEGER NOT NULL,
     route_type TEXT NOT NULL,
     rejected INTEGER NOT NULL,
     pipeline_type TEXT NOT NULL,
     revision_id INTEGER NOT NULL,
     bucket TEXT NOT NULL,
     object_key TEXT NOT NULL,
     file TEXT NOT NULL,                  -- name in the outbox folder
     rows INTEGER NOT NULL,
     bytes INTEGER NOT NULL,
     sha256 TEXT NOT NULL,
     first_rowid INTEGER NOT NULL,
     last_rowid INTEGER NOT NULL,
     started_at TEXT NOT NULL,
     extracted_at TEXT NOT NULL,
     delivered_at TEXT,                   -- null: waits in the outbox
     error TEXT,                          -- why the last try failed
     recorded TEXT,                       -- the status that pipeline_executions has: null, pending, failed
     UNIQUE (bucket, object_key)
   ) STRICT;
   CREATE INDEX objects_waiting ON objects (source_id, id) WHERE delivered_at IS NULL;`,

  `-- One row, see seal.ts.
   CREATE TABLE seal (value INTEGER NOT NULL) STRICT;
   INSERT INTO seal VALUES (0);`,

  `ALTER TABLE sources ADD COLUMN footing TEXT; -- JSON: of the rows up to the cursor; src/source/footing.ts reads it`,

  `ALTER TABLE identity ADD COLUMN drained_at TEXT; -- null: the last run has not ended before the end of its machine`,
];

const SEALED_SINCE = 2;

/** @throws {UploaderError} STATE_DAMAGED where a later version made the state */
export function assertKnownVersion(db: Connection, path: string): void {
  const version = versionOf(db);
  if (version > MIGRATIONS.length)
    throw new UploaderError({
      code: "STATE_DAMAGED",
      message: `${path} was made by a later version of the uploader (state version ${version}; this one knows ${MIGRATIONS.length}).`,
      hint: "Install that version again; a state is never taken back to an older form.",
    });
}

/** False of a state that is new, or was made before there were seals. */
export function hasSeal(db: Connection): boolean {
  return versionOf(db) >= SEALED_SINCE;
}

/** Brings a state whose seal is whole to this version's schema. */
export function migrateState(db: Connection): void {
  const version = versionOf(db);
  if (version === MIGRATIONS.length) return;
  db.transaction(() => {
    for (const migration of MIGRATIONS.slice(version)) db.exec(migration);
    writeSeal(db);
    db.pragma(`user_version = ${MIGRATIONS.length}`);
  }).immediate();
}

function versionOf(db: Connection): number {
  return Number(db.pragma("user_version", { simple: true }));
}
