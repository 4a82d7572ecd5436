import { writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { openForTest } from "./readings.ts";
import { noteSource, type SourceNote } from "./source-note.ts";
import { temporaryFolder } from "./temporary-folder.ts";

type Write = (db: Database.Database) => unknown;

interface Run {
  readonly sql: string;
  readonly params: readonly unknown[];
}

/**
 * All that a test does to a source, so that the source can be made again where no uploader is: what it would be had
 * the uploader never come. Whatever the uploader changes is a difference, also while the test writes beside it.
 */
export interface SourceLog {
  /** A connection through which the test writes, closed when the test ends. */
  readonly open: (path: string) => Database.Database;
  /** What another process wrote, to be written again. */
  wrote(write: Write): void;
  /** Another file has taken the source's place: a log of its own, from what is in it, or from nothing. */
  beginAgain(from?: Database.Database): void;
  replay(): SourceNote;
}

/** Control tables are the uploader's, and are not there; a look changes nothing. */
const LEFT_OUT = /^\s*SELECT\b|\bpipeline_(config|executions)\b/i;

export function createSourceLog(): SourceLog {
  let writes: (Run | Write)[] = [];
  let image: Buffer | null = null;

  function open(path: string): Database.Database {
    // SQLite tells of every statement, those of transactions included, but shortens what is bound to it.
    let running: Run | null = null;
    const verbose = (sql: unknown) => {
      if (!LEFT_OUT.test(String(sql))) writes.push(running ?? { sql: String(sql), params: [] });
      running = null;
    };
    const db = openForTest(path, { verbose });
    const prepare = db.prepare.bind(db) as (sql: string) => Database.Statement<unknown[]>;
    const prepareRecorded = (sql: string) => {
      const statement = prepare(sql);
      const run = statement.run.bind(statement);
      statement.run = (...params) => {
        running = { sql, params };
        return run(...params);
      };
      return statement;
    };
    return Object.assign(db, { prepare: prepareRecorded });
  }

  return {
    open,
    wrote: (write) => void writes.push(write),
    beginAgain: (from) => {
      writes = [];
      image = from?.serialize() ?? null;
    },
    replay() {
      const path = join(temporaryFolder(), "replayed.db");
      if (image) writeFileSync(path, image);
      const db = new Database(path);
      db.pragma("synchronous = OFF");
      try {
        const prepared = new Map<string, Database.Statement<unknown[]>>();
        for (const write of writes) replayOne(db, write, prepared);
        return noteSource(path, db);
      } finally {
        db.close();
      }
    },
  };
}

function replayOne(
  db: Database.Database,
  write: Run | Write,
  prepared: Map<string, Database.Statement<unknown[]>>,
): void {
  if (typeof write === "function") return void write(db);
  try {
    if (write.params.length === 0) return void db.exec(write.sql);
    const statement = prepared.get(write.sql) ?? db.prepare(write.sql);
    prepared.set(write.sql, statement);
    statement.run(...write.params);
  } catch (error) {
    // What failed for the test fails here; what did not leaves a difference.
    if (!(error instanceof Database.SqliteError)) throw error;
  }
}
