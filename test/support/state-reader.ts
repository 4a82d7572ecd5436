import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { parseObjectKey } from "../../src/core/object-key.ts";
import type { LakeObject } from "./lake-reader.ts";

/** Every row of the state, but for what each start changes: the epoch, and the seal over it. */
export function describeState(stateDir: string): string {
  const db = openState(stateDir);
  if (!db) return "no state";
  try {
    const tables = db
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'seal' ORDER BY name")
      .pluck()
      .all() as string[];
    const rowsOf = (table: string) =>
      (db.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all() as Record<string, unknown>[]).map((row) =>
        Object.entries(row).flatMap(([name, value]) => (name === "epoch" ? [] : [`${name} ${value}`])),
      );
    return JSON.stringify(tables.map((table) => [table, rowsOf(table)]));
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
