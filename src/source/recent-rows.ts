import type { SourceSchema } from "../core/types.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";
import { digestBasis, digestOfValues, valuesOf } from "./row-digest.ts";

/** Rows and columns that are remembered; it takes less than a millisecond. */
const MOST_ROWS = 16;
const MOST_COLUMNS = 32;

/** A value that is longer counts by its length, so that no large one is read. */
const LONG_BYTES = 1_000;

/** So many different rows that are all in their places are not there by chance. */
const ROWS_THAT_TELL = 8;

/** The last rows that were shipped, value by value. */
export interface RecentRows {
  /** Without the rowid, which other rows may have too. */
  readonly columns: readonly (readonly [name: string, declaredType: string])[];
  /** The highest first, each with a digest of 32 bits for each column. */
  readonly rows: readonly { readonly rowid: bigint; readonly digests: readonly string[] }[];
}

/** To be remembered with the last row that was shipped. */
export function noteRecentRows(db: Connection, schema: SourceSchema, lastRowid: bigint): RecentRows {
  const basis = new Set(digestBasis(schema));
  const others = schema.columns.filter(({ name }) => !basis.has(name) && name !== schema.rowidName);
  const columns = [...schema.columns.filter(({ name }) => basis.has(name)), ...others]
    .slice(0, MOST_COLUMNS)
    .map(({ name, declaredType }) => [name, declaredType] as const);
  const name = quoteName(schema.rowidName);
  const values = valuesOf(
    columns.map(([name]) => name),
    LONG_BYTES,
  );
  const sql = `SELECT ${name}, ${values} FROM main.${quoteName(schema.table)}
    WHERE ${name} <= ? ORDER BY ${name} DESC LIMIT ${MOST_ROWS}`;
  const found = db.prepare(sql).raw().all(lastRowid) as [bigint, ...unknown[]][];
  const rows = found.map(([rowid, ...values]) => ({
    rowid,
    digests: columns.map((_, index) => digestOfValues([values[index]]).slice(0, 8)),
  }));
  return { columns, rows };
}

/** Whether a column is there no more, or declared as another type, so that its values need not be what they were. */
export function isRedeclared(
  { columns }: SourceSchema,
  names: readonly string[],
  before: RecentRows | null,
): boolean {
  return names.some((name) => {
    const type = columns.find((column) => column.name === name)?.declaredType;
    const [, declaredType = type] = before?.columns.find(([column]) => column === name) ?? [];
    return type === undefined || type !== declaredType;
  });
}

/** Whether the rows that are left are shown to be the ones they were, by the columns that are as they were. */
export function areInPlace(db: Connection, schema: SourceSchema, before: RecentRows | null): boolean {
  const compared = compareRows(db, schema, before);
  const different = new Set(compared.map(({ digests }) => digests.join()));
  return compared.every(({ isSame }) => isSame) && different.size >= ROWS_THAT_TELL;
}

/** The rows that are in their places with all their values, which no other one of them has. */
export function unmistakableRows(db: Connection, schema: SourceSchema, before: RecentRows | null): bigint[] {
  const rows = before?.rows.map(({ digests }) => digests.join()) ?? [];
  const isAlone = (digests: readonly string[]) =>
    rows.indexOf(digests.join()) === rows.lastIndexOf(digests.join());
  return compareRows(db, schema, before)
    .filter(({ isSame, digests }) => isSame && digests.length === before?.columns.length && isAlone(digests))
    .map(({ rowid }) => rowid);
}

interface ComparedRow {
  readonly rowid: bigint;
  /** As they were, of the columns that are as they were. */
  readonly digests: readonly string[];
  readonly isSame: boolean;
}

/** The rows that are still there. */
function compareRows(db: Connection, schema: SourceSchema, before: RecentRows | null): ComparedRow[] {
  if (before === null) return [];
  const kept = before.columns.flatMap(([name], index) =>
    isRedeclared(schema, [name], before) ? [] : [{ name, index }],
  );
  const values = valuesOf(
    kept.map(({ name }) => name),
    LONG_BYTES,
  );
  const statement = db
    .prepare(`SELECT ${values} FROM main.${quoteName(schema.table)} WHERE ${quoteName(schema.rowidName)} = ?`)
    .raw();
  return before.rows.flatMap(({ rowid, digests: all }) => {
    const row = statement.get(rowid) as unknown[] | undefined;
    if (row === undefined) return [];
    const digests = kept.map(({ index }) => all[index] as string);
    const isSame = digests.every((digest, index) => digest === digestOfValues([row[index]]).slice(0, 8));
    return [{ rowid, digests, isSame }];
  });
}
