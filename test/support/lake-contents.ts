import { quoteName } from "../../src/sqlite/names.ts";
import { duckdb, type LakeObject, type LakeRow, readTable } from "./lake-reader.ts";
import { decodeRescued, type LakeCell, type StoredValue, storedInLake } from "./stored-values.ts";

/** A row's columns as it may have stood when it was read: several where it was updated meanwhile. */
export type KnownVersions = readonly (readonly StoredValue[])[];

/** One table before it was replaced, or after: rowids mean the same rows in it. */
export interface Incarnation {
  /** The first generation that shipped it. */
  readonly sinceGeneration: number;
  /** All that were read, or had to be. */
  readonly rows: ReadonlyMap<bigint, KnownVersions>;
  /**
   * Up to this rowid its rows are those of the incarnation before and are not shipped again; those behind it are,
   * even where they are the same. Left out or null: all are.
   */
  readonly resumeAfter?: number | null;
}

/** Rows that two states shipped, in the minute in which neither could know of the other. */
export interface Twice {
  readonly rowids: ReadonlySet<bigint>;
  /** The column of the lake in which the two differ; where it is not the generation, both numbered one. */
  readonly told: "_generation" | "_extracted_at";
  /** What the state that is looked at did not deliver itself. */
  readonly elsewhere: { readonly objects: number; readonly rows: number };
}

export interface ComparedTable {
  /** Those that nobody changes once a row was read. */
  readonly columns: readonly string[];
  /** `typeof` of the text '1' in each of them. */
  readonly affinities: readonly LakeCell["affinity"][];
  readonly timestampColumn: string;
  readonly aggregated: AggregatedColumns;
  /** In the order of their generations. */
  readonly incarnations: readonly Incarnation[];
  /** Left out: none. */
  readonly twice?: Twice | undefined;
}

export interface AggregatedColumns {
  readonly windowSeconds: number;
  readonly groups: readonly string[];
  readonly metrics: readonly string[];
  readonly anomalyFlag: string | null;
}

export interface Contents {
  /** Rows of the source that were found, once and with their contents. */
  readonly rows: number;
  readonly violations: readonly string[];
}

/**
 * I1: holds the contents of all objects of one table against the rows as they were when they were read. Each row of
 * each incarnation is in the generations of that incarnation exactly once, by content, merged figures included; but
 * rows up to `resumeAfter` are not, and are in the incarnation before. So what a replacement sends twice is exactly
 * what it said it would. `twice` names the only other rows that may come twice, which then have to, and differ in
 * the column that tells them apart. Nothing is in the lake that was not in the source, or lies beyond the cursor.
 */
export async function compareContents(
  objects: readonly LakeObject[],
  table: ComparedTable,
  /** The last row that was read; null: none was. */
  upTo: bigint | null,
): Promise<Contents> {
  const violations: string[] = [];
  const { incarnations, twice } = table;
  const newest = incarnations.at(-1) as Incarnation;
  const incarnationOf = (generation: number) =>
    incarnations.findLast(({ sinceGeneration }) => sinceGeneration <= generation) as Incarnation;
  /** For each time that a row was shipped: what the column says that tells doubles apart. */
  const shipped = new Map(incarnations.map((incarnation) => [incarnation, new Map<bigint, string[]>()]));
  const note = (incarnation: Incarnation, rowid: bigint, told: string) => {
    const times = shipped.get(incarnation) as Map<bigint, string[]>;
    times.set(rowid, [...(times.get(rowid) ?? []), told]);
  };

  const rowwise = objects.filter(({ name }) => name.route.type !== "aggregated");
  for (const group of await bySchema(rowwise))
    for (const row of await readGroup(group, table)) {
      const { rowid, object } = row;
      const { generation, range, rows } = object.name;
      if (rowid < range.first || rowid > range.last)
        violations.push(`I1: row ${rowid} lies outside the range of ${object.key} (${rows} rows)`);
      const incarnation = incarnationOf(generation);
      note(incarnation, rowid, row.told);
      const known = incarnation.rows.get(rowid);
      if (!known) violations.push(`I1: row ${rowid} of ${object.key} is not of the source`);
      else if (!known.some((version) => isSame(version, row, table)))
        violations.push(
          `I1: row ${rowid} of ${object.key} is ${row.values} instead of ${known.join(" or ")}`,
        );
    }

  // In their order, because what a rebuild left out of a later one is in an earlier one.
  const aggregated = objects
    .filter(({ name }) => name.route.type === "aggregated")
    .sort((a, b) => a.name.generation - b.name.generation || a.name.sequence - b.name.sequence);
  for (const object of aggregated) {
    const { generation, range } = object.name;
    const incarnation = incarnationOf(generation);
    const rowids = [...incarnation.rows.keys()].filter(
      (rowid) => range.first <= rowid && rowid <= range.last && !shipped.get(incarnation)?.has(rowid),
    );
    const rows = rowids.map((rowid) => incarnation.rows.get(rowid)?.at(-1) ?? []);
    const problem = differenceOf(expectedFigures(rows, table), await foundFigures(object, table));
    if (problem) violations.push(`I1: the figures of ${object.key} are not those of its rows: ${problem}`);
    for (const rowid of rowids) note(incarnation, rowid, "");
  }

  let rows = 0;
  for (const [index, incarnation] of incarnations.entries()) {
    const { sinceGeneration, resumeAfter = null } = incarnation;
    const isResumed = (rowid: bigint) => resumeAfter !== null && rowid <= BigInt(resumeAfter);
    for (const [rowid, versions] of incarnation.rows) {
      const subject = `I1: row ${rowid} since generation ${sinceGeneration}`;
      const told = shipped.get(incarnation)?.get(rowid) ?? [];
      const wanted = isResumed(rowid) ? 0 : twice?.rowids.has(rowid) ? 2 : 1;
      if (told.length === 0 && wanted > 0) violations.push(`${subject} was never shipped`);
      else if (told.length !== wanted)
        violations.push(`${subject} was shipped ${told.length} times, not ${wanted}`);
      else if (new Set(told).size < wanted)
        violations.push(`${subject} was shipped with one ${twice?.told}: ${told}`);
      if (wanted > 0 && told.length > 0) rows++;
      if (isResumed(rowid) && !isOf(incarnations[index - 1], rowid, versions))
        violations.push(`${subject} is not that of the generation before`);
    }
  }
  for (const rowid of shipped.get(newest)?.keys() ?? [])
    if (upTo === null || rowid > upTo)
      violations.push(`I1: row ${rowid} is shipped, though ${upTo} was the last to be read`);
  return { rows, violations };
}

function isOf(incarnation: Incarnation | undefined, rowid: bigint, versions: KnownVersions): boolean {
  const wanted = versions.at(-1)?.join();
  return incarnation?.rows.get(rowid)?.some((version) => version.join() === wanted) ?? false;
}

interface ShippedRow {
  readonly object: LakeObject;
  readonly rowid: bigint;
  readonly values: readonly StoredValue[];
  /** Of the column that tells doubles apart. */
  readonly told: string;
}

/** Objects with the same columns can be read together. */
async function bySchema(objects: readonly LakeObject[]): Promise<LakeObject[][]> {
  if (objects.length === 0) return [];
  const schemas = await duckdb(
    `SELECT file_name, string_agg(name || ' ' || coalesce(type, ''), ',') AS columns
     FROM parquet_schema(${pathList(objects)}) GROUP BY file_name`,
  );
  const schemaOf = new Map(schemas.map(({ file_name, columns }) => [file_name as string, columns as string]));
  return [...groupBy(objects, ({ path }) => schemaOf.get(path)).values()];
}

async function readGroup(group: readonly LakeObject[], table: ComparedTable): Promise<ShippedRow[]> {
  const { columns, rows } = await readTable(group);
  const byPath = new Map(group.map((object) => [object.path, object]));
  const at = (name: string) => columns.findIndex((column) => column.toLowerCase() === name.toLowerCase());
  const places = table.columns.map(at);
  const [rowidAt, rescuedAt, pathAt] = [at("_rowid"), at("_rescued"), at("filename")];
  const toldAt = at(table.twice?.told ?? "_generation");
  return rows.map((row) => {
    const object = byPath.get(row[pathAt] as string) as LakeObject;
    const rescued = decodeRescued((row[rescuedAt] ?? null) as string | null, "utf8");
    const values = table.columns.map((column, index) => {
      const place = places[index] as number;
      // A column that the object's schema does not have was not there when it was read.
      if (place < 0) return "null";
      const value = row[place];
      if (value instanceof Date) return `instant ${value.toISOString()}`;
      const affinity = table.affinities[index] as LakeCell["affinity"];
      return storedInLake({ value, rescued: rescued.get(column), affinity, encoding: "utf8" });
    });
    return { object, rowid: row[rowidAt] as bigint, values, told: stringOf(row[toldAt]) };
  });
}

function stringOf(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}

function isSame(known: readonly StoredValue[], { values }: ShippedRow, table: ComparedTable): boolean {
  return values.every((value, index) => {
    const stored = known[index] as StoredValue;
    if (!value.startsWith("instant ")) return value === stored;
    return table.columns[index] === table.timestampColumn && value === `instant ${instantOf(stored)}`;
  });
}

function instantOf(stored: StoredValue): string | null {
  const text = textOf(stored);
  const time = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

function textOf(stored: StoredValue): string | null {
  return stored.startsWith("text ") ? Buffer.from(stored.slice(5), "hex").toString("utf8") : null;
}

function numberOf(stored: StoredValue): number | null {
  if (stored.startsWith("integer ")) return Number(stored.slice(8));
  if (stored.startsWith("real ")) return Buffer.from(stored.slice(5), "hex").readDoubleBE();
  return null;
}

/** By window and group: rows, anomalies, and of each metric count, sum, minimum, maximum and sum of squares. */
type Figures = Map<string, number[]>;

/** Worked out without the uploader's SQL, from what docs/OBJECTS.md says. */
function expectedFigures(rows: readonly (readonly StoredValue[])[], table: ComparedTable): Figures {
  const { windowSeconds, groups, metrics, anomalyFlag } = table.aggregated;
  const cell = (row: readonly StoredValue[], column: string) => row[table.columns.indexOf(column)] ?? "null";
  const figures: Figures = new Map();
  for (const row of rows) {
    const time = instantOf(cell(row, table.timestampColumn));
    const window = time === null ? null : Math.floor(Date.parse(time) / 1000 / windowSeconds) * windowSeconds;
    const key = JSON.stringify([window, ...groups.map((group) => textOf(cell(row, group)))]);
    const isAnomaly = anomalyFlag !== null && (numberOf(cell(row, anomalyFlag)) ?? 0) !== 0;
    merge(figures, key, [
      1,
      isAnomaly ? 1 : 0,
      ...metrics.flatMap((metric) => {
        const value = numberOf(cell(row, metric));
        return value === null ? NO_FIGURES : [1, value, value, value, value * value];
      }),
    ]);
  }
  return figures;
}

const NO_FIGURES = [0, 0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0];

async function foundFigures(object: LakeObject, table: ComparedTable): Promise<Figures> {
  const { groups, metrics, anomalyFlag } = table.aggregated;
  const found = await duckdb(
    `SELECT * FROM read_parquet('${object.path.replaceAll("'", "''")}', hive_partitioning = false)`,
  );
  const figures: Figures = new Map();
  const number = (row: LakeRow, column: string) => Number(row[column] ?? 0);
  for (const row of found) {
    const start = row.window_start as Date | null;
    const window = start === null ? null : start.getTime() / 1000;
    merge(figures, JSON.stringify([window, ...groups.map((group) => row[group] ?? null)]), [
      number(row, "reading_count"),
      anomalyFlag === null ? 0 : number(row, "anomaly_count"),
      ...metrics.flatMap((metric) => [
        number(row, `${metric}_count`),
        number(row, `${metric}_sum`),
        (row[`${metric}_min`] ?? Number.POSITIVE_INFINITY) as number,
        (row[`${metric}_max`] ?? Number.NEGATIVE_INFINITY) as number,
        number(row, `${metric}_sum_sq`),
      ]),
    ]);
  }
  return figures;
}

function merge(figures: Figures, key: string, more: readonly number[]): void {
  const before = figures.get(key);
  const merged = more.map((value, index) => {
    const other = before?.[index];
    if (other === undefined) return value;
    const figure = index < 2 ? "sum" : FIGURES[(index - 2) % FIGURES.length];
    if (figure === "min") return Math.min(other, value);
    return figure === "max" ? Math.max(other, value) : other + value;
  });
  figures.set(key, merged);
}

const FIGURES = ["sum", "sum", "min", "max", "sum"] as const;

function differenceOf(expected: Figures, found: Figures): string | null {
  for (const key of new Set([...expected.keys(), ...found.keys()])) {
    const [wanted, there] = [expected.get(key), found.get(key)];
    const isEqual = wanted?.every((value, index) => {
      const other = there?.[index] ?? Number.NaN;
      return value === other || Math.abs(value - other) <= 1e-12 * Math.max(1, Math.abs(value));
    });
    if (!isEqual) return `${key}: ${there} instead of ${wanted}`;
  }
  return null;
}

/** As `Map.groupBy`, which Node.js 20 does not have. */
export function groupBy<Item, Key>(items: Iterable<Item>, keyOf: (item: Item) => Key): Map<Key, Item[]> {
  const groups = new Map<Key, Item[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}

export function pathList(objects: readonly { readonly path: string }[]): string {
  return `[${objects.map(({ path }) => `'${path.replaceAll("'", "''")}'`).join(", ")}]`;
}

/** `typeof` of the text '1' once it is stored in a column of the type, asked of the given connection. */
export function affinityOf(
  db: { exec(sql: string): unknown; prepare(sql: string): { pluck(): { get(): unknown } } },
  declaredType: string,
): LakeCell["affinity"] {
  db.exec(`CREATE TEMP TABLE ${quoteName("affinity of")} (x ${declaredType})`);
  db.exec(`INSERT INTO temp.${quoteName("affinity of")} VALUES ('1')`);
  const affinity = db
    .prepare(`SELECT typeof(x) FROM temp.${quoteName("affinity of")}`)
    .pluck()
    .get();
  db.exec(`DROP TABLE temp.${quoteName("affinity of")}`);
  return affinity as LakeCell["affinity"];
}
