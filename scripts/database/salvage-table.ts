import Database from "better-sqlite3";
import { quoteName } from "../../src/sqlite/names.ts";
import type { Connection } from "../../src/sqlite/open.ts";

/** Rowids that could not be read, both ends inclusive; null: up to whatever end there is. */
export interface Gap {
  readonly first: bigint | null;
  readonly last: bigint | null;
}

const SMALLEST = -(2n ** 63n);
const LARGEST = 2n ** 63n - 1n;
const MOST_ROWS = 4_096;
/** A leaf of 64 kB holds fewer rows, so that one damaged leaf is left behind without a jump. */
const SMALL_STEPS = 4_096n;

/**
 * Copies the rows of `main.{table}` into the empty `made.{table}`: in batches of rowids, made smaller where one cannot
 * be read; at the damage it looks for the next rowid from which SQLite can go on, first one by one, then by steps that
 * double. A jump may pass rows between two damages that lie far behind each other.
 *
 * @returns what was passed over
 */
export function salvageTable(db: Connection, table: string): Gap[] {
  const columns = storedColumns(db, table);
  const rowid = ["rowid", "_rowid_", "oid"].find(
    (name) => !columns.some((column) => column.toLowerCase() === name),
  );
  if (rowid === undefined || !hasRowid(db, table, rowid)) return copyWithoutRowid(db, table, columns);
  const reader = createReader(db, table, rowid, columns);
  const gaps: Gap[] = [];
  let next: bigint | null = SMALLEST;
  while (next !== null) {
    const damage = reader.copyFrom(next);
    if (damage === null) break;
    next = reader.findBehind(damage);
    gaps.push({ first: damage === SMALLEST ? null : damage, last: next === null ? null : next - 1n });
  }
  return gaps;
}

interface Reader {
  /** Copies up to the end, or up to the rowid, which it gives back, from which nothing can be read. */
  copyFrom(start: bigint): bigint | null;
  /** The next rowid, of those that are tried, from which rows can be read again; null: there is none. */
  findBehind(damage: bigint): bigint | null;
}

function createReader(db: Connection, table: string, rowid: string, columns: readonly string[]): Reader {
  const source = `main.${quoteName(table)}`;
  const names = [rowid, ...columns.map(quoteName)].join(", ");
  const bounds = db
    .prepare(
      `SELECT max(id), count(*)
       FROM (SELECT ${rowid} AS id FROM ${source} WHERE ${rowid} >= ? ORDER BY ${rowid} LIMIT ?)`,
    )
    .raw()
    .safeIntegers();
  const copy = db.prepare(
    `INSERT OR IGNORE INTO made.${quoteName(table)} (${names})
     SELECT ${names} FROM ${source} WHERE ${rowid} BETWEEN ? AND ? ORDER BY ${rowid}`,
  );
  const first = db
    .prepare(`SELECT ${rowid} FROM ${source} WHERE ${rowid} >= ? ORDER BY ${rowid} LIMIT 1`)
    .pluck()
    .safeIntegers();
  return {
    copyFrom(start) {
      let next = start;
      let size = MOST_ROWS;
      for (;;) {
        const batch = readable(() => {
          const [last, rows] = bounds.get(next, size) as [bigint | null, bigint];
          if (last !== null) copy.run(next, last);
          return { last, isEnd: rows < BigInt(size) };
        });
        if (batch === null && size === 1) return next;
        if (batch === null) size = Math.ceil(size / 4);
        else if (batch.isEnd || batch.last === null || batch.last === LARGEST) return null;
        else next = batch.last + 1n;
      }
    },
    findBehind(damage) {
      // Few tables have rowids below 1; those would be lost with a damaged beginning.
      const start = damage === SMALLEST ? 0n : damage;
      for (let step = 1n; start + step <= LARGEST; step += step < SMALL_STEPS ? 1n : step) {
        const found = readable(() => ({ rowid: first.get(start + step) as bigint | undefined }));
        if (found) return found.rowid ?? null;
      }
      return null;
    },
  };
}

/** null where SQLite says that the file is damaged. */
function readable<Value>(read: () => Value): Value | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof Database.SqliteError && /^SQLITE_(CORRUPT|IOERR|NOTADB)/.test(error.code))
      return null;
    throw error;
  }
}

/** Columns that are stored; generated ones are computed anew. */
function storedColumns(db: Connection, table: string): string[] {
  const columns = db.pragma(`main.table_xinfo(${quoteName(table)})`) as { name: string; hidden: number }[];
  return columns.filter(({ hidden }) => hidden === 0).map(({ name }) => name);
}

function hasRowid(db: Connection, table: string, rowid: string): boolean {
  try {
    db.prepare(`SELECT ${rowid} FROM main.${quoteName(table)}`);
    return true;
  } catch {
    return false;
  }
}

/** Up to the damage, in the order of the key. */
function copyWithoutRowid(db: Connection, table: string, columns: readonly string[]): Gap[] {
  const names = columns.map(quoteName).join(", ");
  const copy = db.prepare(
    `INSERT OR IGNORE INTO made.${quoteName(table)} (${names})
     SELECT ${names} FROM main.${quoteName(table)} LIMIT ? OFFSET ?`,
  );
  let offset = 0;
  let limit = MOST_ROWS;
  for (;;) {
    const copied = readable(() => copy.run(limit, offset));
    if (copied === null && limit === 1) return [{ first: null, last: null }];
    if (copied === null) limit = Math.ceil(limit / 4);
    else if (copied.changes === 0) return [];
    else offset += limit;
  }
}
