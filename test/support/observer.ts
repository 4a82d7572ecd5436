import { existsSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import type { LakePlace } from "./lake-place.ts";

/** What the state said of an object when it was listed. */
export interface ListedObject {
  readonly sha256: string;
  readonly rows: number;
  readonly bytes: number;
}

/**
 * Looks at the lake and the state now and then, and remembers what must never change. An object that was written
 * again between two looks is another version even if its bytes are the same. One that was written again before the
 * first look at it is seen where it is not what the state lists (I3): neither place keeps versions.
 */
export interface Observer {
  look(): Promise<void>;
  /** Looks at the state alone, and at once: just after an extraction it lists what no later look would find. */
  lookAtState(): void;
  /** An object that the test itself takes away, by bucket and key: it has never been there. */
  forget(name: string): void;
  readonly forgotten: ReadonlySet<string>;
  /** By bucket and key: all that the state has ever been seen to list, as it was listed first. */
  readonly listed: ReadonlyMap<string, ListedObject>;
  /** Where a key held two contents, or was listed with two (I4), or a cursor went back (I5). */
  readonly violations: readonly string[];
}

interface Progress {
  readonly generation: number;
  readonly cursor: bigint | null;
  readonly sequence: number;
}

export function createObserver({
  place,
  stateDir,
}: {
  readonly place: LakePlace;
  readonly stateDir: string;
}): Observer {
  const versions = new Map<string, string>();
  const listed = new Map<string, ListedObject>();
  const progress = new Map<string, Progress>();
  const forgotten = new Set<string>();
  const violations: string[] = [];

  async function look(): Promise<void> {
    const found = await place.versions();
    for (const [name, version] of found) {
      const before = versions.get(name) ?? version;
      if (before !== version) violations.push(`I4: ${name} was ${before} and is ${version}`);
      versions.set(name, version);
    }
    for (const name of versions.keys())
      if (!found.has(name)) violations.push(`I4: ${name} was there and is gone`);
    lookAtState();
  }

  function lookAtState(): void {
    const path = join(stateDir, "state.db");
    if (!existsSync(path)) return;
    const db = new Database(path, { readonly: true });
    try {
      db.defaultSafeIntegers(true);
      db.pragma("schema_version");
    } catch {
      // On a disk that is full or read-only SQLite may not look at it, nor write to it.
      db.close();
      return;
    }
    try {
      if (db.pragma("user_version", { simple: true }) === 0n) return;
      type Source = {
        node: string;
        table_name: string;
        generation: bigint;
        cursor: bigint | null;
        n: bigint;
      };
      const sources = db
        .prepare("SELECT node, table_name, generation, cursor, next_sequence AS n FROM sources")
        .all() as Source[];
      for (const { node, table_name, generation, cursor, n } of sources) {
        const now = { generation: Number(generation), cursor, sequence: Number(n) };
        const before = progress.get(`${node} ${table_name}`);
        if (before && !follows(before, now))
          violations.push(
            `I5: ${table_name} went back from generation ${before.generation}, row ${before.cursor}, to ${now.generation}, ${now.cursor}`,
          );
        progress.set(`${node} ${table_name}`, now);
      }
      type Listed = { bucket: string; object_key: string; sha256: string; rows: bigint; bytes: bigint };
      const objects = db
        .prepare("SELECT bucket, object_key, sha256, rows, bytes FROM objects")
        .all() as Listed[];
      for (const { bucket, object_key, sha256, rows, bytes } of objects) {
        const name = `${bucket}/${object_key}`;
        const now = { sha256, rows: Number(rows), bytes: Number(bytes) };
        const before = listed.get(name) ?? now;
        if (describe(before) !== describe(now))
          violations.push(`I4: ${name} was listed as ${describe(before)} and is as ${describe(now)}`);
        listed.set(name, before);
      }
    } finally {
      db.close();
    }
  }

  function forget(name: string): void {
    versions.delete(name);
    listed.delete(name);
    forgotten.add(name);
  }

  return { look, lookAtState, forget, forgotten, listed, violations };
}

function describe({ sha256, rows, bytes }: ListedObject): string {
  return `${sha256} with ${rows} rows in ${bytes} bytes`;
}

function follows(before: Progress, now: Progress): boolean {
  if (now.generation !== before.generation) return now.generation > before.generation;
  const isCursorAhead = before.cursor === null || (now.cursor !== null && now.cursor >= before.cursor);
  return isCursorAhead && now.sequence >= before.sequence;
}
