import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { parseObjectKey } from "../../src/core/object-key.ts";
import type { LakeObject } from "./lake-reader.ts";

/** All that the state says, but for what each start changes: the epoch. */
export function describeState(stateDir: string): string {
  const db = openState(stateDir);
  if (!db) return "no state";
  try {
    const all = (sql: string) =>
      db
        .prepare(sql)
        .all()
        .map((row) => Object.values(row as object).map(String));
    const sources = all(`SELECT node, table_name, generation, cursor, next_sequence, destination,
      delivered_objects, delivered_rows, delivered_bytes FROM sources ORDER BY id`);
    const objects = all("SELECT bucket, object_key, sha256, delivered_at FROM objects ORDER BY id");
    return JSON.stringify([sources, objects, all("SELECT state_id FROM identity")]);
  } finally {
    db.close();
  }
}

export interface SourceFigures {
  readonly cursor: bigint | null;
  /** The cursor, or beyond it the last row that a rebuild has found delivered. */
  readonly upTo: bigint | null;
  readonly delivered_objects: bigint;
  readonly delivered_rows: bigint;
}

/** Figures of a source in the state; undefined before its first run. */
export function readSourceState(stateDir: string, node: string, table: string): SourceFigures | undefined {
  const db = openState(stateDir);
  try {
    return db
      ?.prepare(
        `SELECT *, (SELECT max(x) FROM (SELECT sources.cursor AS x UNION ALL
           SELECT last_rowid FROM covered_ranges WHERE source_id = sources.id)) AS upTo
         FROM sources WHERE node = ? AND table_name = ?`,
      )
      .get(node, table) as SourceFigures | undefined;
  } finally {
    db?.close();
  }
}

/** What the state lists as waiting, as objects that can be read. */
export function waitingObjects(stateDir: string): LakeObject[] {
  const db = openState(stateDir);
  try {
    type Row = { bucket: string; object_key: string; file: string };
    const rows = (db
      ?.prepare("SELECT bucket, object_key, file FROM objects WHERE delivered_at IS NULL")
      .all() ?? []) as Row[];
    return rows.map(({ bucket, object_key: key, file }) => {
      const name = parseObjectKey(key);
      if (!name) throw new Error(`no key of ours: ${key}`);
      return { bucket, key, path: join(stateDir, "outbox", file), name };
    });
  } finally {
    db?.close();
  }
}

/** I7 */
export function leftInState(stateDir: string, waiting: readonly LakeObject[]): string[] {
  const listed = new Set(waiting.map(({ path }) => path));
  const outbox = join(stateDir, "outbox");
  return [
    ...readdirSync(stateDir).filter((name) => !STATE_FILES.test(name)),
    ...readdirSync(outbox).filter((name) => !listed.has(join(outbox, name))),
  ].map((name) => `I7: ${name} is left in the state folder`);
}

const STATE_FILES =
  /^(state\.db(-wal|-shm)?|lock\.(db(-journal)?|json)|outbox|set-aside|outbox\.replaced-.*|state\.db\.replaced-.*)$/;

function openState(stateDir: string): Database.Database | null {
  const path = join(stateDir, "state.db");
  if (!existsSync(path)) return null;
  const db = new Database(path, { readonly: true });
  db.defaultSafeIntegers(true);
  if (db.pragma("user_version", { simple: true }) !== 0n) return db;
  db.close();
  return null;
}
