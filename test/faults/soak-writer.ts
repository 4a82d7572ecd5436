import { existsSync, readFileSync, statSync } from "node:fs";
import Database from "better-sqlite3";
import { READING_COLUMNS, reading } from "../support/readings.ts";

/**
 * A program that stands for a busy sensor: appends `reading(1)`, `reading(2)`, … at a steady rate until SIGTERM,
 * deletes what is older than `keepSeconds`, and says on standard output, as JSON, how long its commits took. It begins
 * as if it had run for `keepSeconds`, so that there is something to delete from the start.
 *
 * It deletes nothing that the uploader has not read: on a machine that is too slow for both, rows would be gone that
 * nobody promised to ship.
 *
 * Arguments: the database, rows a second, keepSeconds, the uploader's state.db.
 */
const [path = "", rate = "1", keep = "30", state = ""] = process.argv.slice(2);
const ROWS_PER_SECOND = Number(rate);
/**
 * At 5,000 rows a second some three commits in a hundred then run into a checkpoint, which takes ten times as long as
 * the commits between. With smaller commits it would be nearly one in a hundred, and chance, on whichever side of the
 * step their 99th percentile lay.
 */
const TICK_MS = 100;
const RETENTION_EVERY_MS = 1_000;
const BEFORE_RETENTION_MS = 10_000;

/** What the writer has met. */
export interface SoakWriterReport {
  readonly rows: number;
  readonly deleted: number;
  readonly busy: number;
  readonly largestWalBytes: number;
  /** Of each transaction that appends rows. */
  readonly inserts: readonly Commit[];
  /** Of those that delete old rows; they are left out where there was nothing to delete. */
  readonly deletes: readonly Commit[];
}

/**
 * When it began, since the epoch, how long it took from BEGIN IMMEDIATE to the end of COMMIT, and for how much of that
 * it was ready to run and had no CPU (0 where the system does not say): milliseconds.
 */
export type Commit = readonly [at: number, took: number, waited: number];

const db = new Database(path, { timeout: 5_000 });
db.pragma("journal_mode = WAL");
const marks = READING_COLUMNS.map((column) => `@${column}`);
const insert = db.prepare(`INSERT INTO readings (${READING_COLUMNS}) VALUES (${marks})`);
const prune = db.prepare("DELETE FROM readings WHERE id <= ?");
const inserts: Commit[] = [];
const deletes: Commit[] = [];
const report = { rows: 0, deleted: 0, busy: 0, largestWalBytes: 0 };
let isStopping = false;
process.on("SIGTERM", () => {
  isStopping = true;
});

/** For how long this thread has been ready to run and had no CPU. */
function waitedMs(): number {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "latin1").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
}

function commit(commits: Commit[], work: () => void): void {
  const waitedBefore = waitedMs();
  const began = performance.now();
  try {
    db.transaction(work).immediate();
    const took = performance.now() - began;
    commits.push([performance.timeOrigin + began, took, waitedMs() - waitedBefore]);
  } catch (error) {
    if (!(error instanceof Database.SqliteError) || !error.code.startsWith("SQLITE_BUSY")) throw error;
    report.busy++;
  }
}

/** Up to which row the uploader has read. */
function readThrough(): number {
  if (!existsSync(state)) return 0;
  const opened = new Database(state, { readonly: true });
  try {
    return Number(opened.prepare("SELECT max(cursor) FROM sources").pluck().get() ?? 0);
  } catch (error) {
    // It is being made.
    if (!(error instanceof Database.SqliteError)) throw error;
    return 0;
  } finally {
    opened.close();
  }
}

function append(count: number): void {
  commit(inserts, () => {
    for (let number = report.rows + 1; number <= report.rows + count; number++) insert.run(reading(number));
  });
  report.rows = Number(
    db.prepare("SELECT seq FROM sqlite_sequence WHERE name = 'readings'").pluck().get() ?? 0,
  );
}

const began = performance.now() - Number(keep) * 1000;
/** Later at first, until the uploader has begun with the rows that are there from the start. */
let prunedAt = performance.now() + BEFORE_RETENTION_MS;
while (!isStopping) {
  const now = performance.now();
  const due = Math.floor(((now - began) * ROWS_PER_SECOND) / 1000) - report.rows;
  if (due > 0) append(Math.min(due, ROWS_PER_SECOND));
  if (now - prunedAt >= RETENTION_EVERY_MS) {
    prunedAt = now;
    const age = Math.floor(((now - began) / 1000 - Number(keep)) * ROWS_PER_SECOND);
    const old = Math.min(age, readThrough());
    if (old > 0)
      commit(deletes, () => {
        report.deleted += prune.run(old).changes;
      });
  }
  if (existsSync(`${path}-wal`))
    report.largestWalBytes = Math.max(report.largestWalBytes, statSync(`${path}-wal`).size);
  await new Promise((resolve) => setTimeout(resolve, TICK_MS));
}
db.close();
process.stdout.write(JSON.stringify({ ...report, inserts, deletes } satisfies SoakWriterReport));
