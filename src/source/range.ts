import type { RowRange, SourceSchema } from "../core/types.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";

export interface CountedRange extends RowRange {
  readonly rows: number;
}

/**
 * The next rows behind the cursor (null: from the first), at most `limit`, and only those before the row
 * `before` where it is given; null where there are none.
 */
export function nextRange(
  db: Connection,
  schema: SourceSchema,
  cursor: bigint | null,
  limit: number,
  before: bigint | null = null,
): CountedRange | null {
  const rowid = quoteName(schema.rowidName);
  const bounds = [
    ...(cursor === null ? [] : [`${rowid} > @cursor`]),
    ...(before === null ? [] : [`${rowid} < @before`]),
  ];
  const rows = `FROM main.${quoteName(schema.table)} ${bounds.length === 0 ? "" : `WHERE ${bounds.join(" AND ")}`}`;
  const given = { ...(cursor === null ? {} : { cursor }), ...(before === null ? {} : { before }) };
  // An OFFSET is passed over in half the time that it takes to count.
  const ends = db
    .prepare(
      `SELECT (SELECT ${rowid} ${rows} ORDER BY ${rowid} LIMIT 1) AS first,
         (SELECT ${rowid} ${rows} ORDER BY ${rowid} LIMIT 1 OFFSET @limit - 1) AS last`,
    )
    .get({ ...given, limit }) as { first: bigint | null; last: bigint | null };
  if (ends.first === null) return null;
  if (ends.last !== null) return { first: ends.first, last: ends.last, rows: limit };
  const fewer = db.prepare(`SELECT max(${rowid}) AS last, count(*) AS rows ${rows}`).get(given);
  const { last, rows: count } = fewer as { last: bigint; rows: bigint };
  return { first: ends.first, last, rows: Number(count) };
}

/**
 * As `nextRange`, without rows that are delivered already: begins behind such a range, or ends before it.
 *
 * @param covered the first such range that has rows behind a cursor
 */
export function nextUncoveredRange(
  db: Connection,
  schema: SourceSchema,
  cursor: bigint | null,
  limit: number,
  covered: (cursor: bigint | null) => RowRange | null,
): CountedRange | null {
  for (;;) {
    const ahead = covered(cursor);
    const range = nextRange(db, schema, cursor, limit, ahead?.first ?? null);
    if (range !== null || ahead === null) return range;
    cursor = ahead.last;
  }
}

/** The largest rowid there is; null in an empty table. */
export function largestRowid(db: Connection, schema: SourceSchema): bigint | null {
  const sql = `SELECT max(${quoteName(schema.rowidName)}) FROM main.${quoteName(schema.table)}`;
  return db.prepare(sql).pluck().get() as bigint | null;
}

/** About how many rows lie behind the cursor, from the rowids alone: exact where none is missing. */
export function estimateRows(db: Connection, schema: SourceSchema, cursor: bigint | null): number {
  const largest = largestRowid(db, schema);
  const first = nextRange(db, schema, cursor, 1)?.first;
  return largest === null || first === undefined ? 0 : Number(largest - first + 1n);
}

/** How many rows lie behind the cursor. It scans them: for people, not for the flow. */
export function countRows(db: Connection, schema: SourceSchema, cursor: bigint | null): number {
  const rowid = quoteName(schema.rowidName);
  const where = cursor === null ? "" : `WHERE ${rowid} > @cursor`;
  const statement = db.prepare(`SELECT count(*) FROM main.${quoteName(schema.table)} ${where}`).pluck();
  return Number(statement.get(cursor === null ? {} : { cursor }) as bigint);
}

/** Whether there is a row from the first to the last rowid. */
export function hasRowsWithin(db: Connection, schema: SourceSchema, { first, last }: RowRange): boolean {
  const rowid = quoteName(schema.rowidName);
  const sql = `SELECT EXISTS (SELECT 1 FROM main.${quoteName(schema.table)} WHERE ${rowid} BETWEEN ? AND ?)`;
  return db.prepare(sql).pluck().get(first, last) === 1n;
}

/** How many rows there are from the first to the last rowid. */
export function countRowsWithin(db: Connection, schema: SourceSchema, { first, last }: RowRange): number {
  const rowid = quoteName(schema.rowidName);
  const sql = `SELECT count(*) FROM main.${quoteName(schema.table)} WHERE ${rowid} BETWEEN ? AND ?`;
  return Number(db.prepare(sql).pluck().get(first, last) as bigint);
}

/** The rows of a range up to `last`; there is one at least. */
export function endingAt(db: Connection, schema: SourceSchema, range: RowRange, last: bigint): CountedRange {
  const rowid = quoteName(schema.rowidName);
  const sql = `SELECT max(${rowid}) AS last, count(*) AS rows FROM main.${quoteName(schema.table)}
    WHERE ${rowid} BETWEEN @first AND @last`;
  const row = db.prepare(sql).get({ first: range.first, last }) as { last: bigint; rows: bigint };
  return { first: range.first, last: row.last, rows: Number(row.rows) };
}
