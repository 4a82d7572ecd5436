import { quoteName } from "../../src/sqlite/names.ts";
import { duckdb, type LakeObject, type LakeRow, readTable } from "./lake-reader.ts";
import { decodeRescued, type LakeCell, type StoredValue, storedInLake } from "./stored-values.ts";

/** A row's columns as it may have stood when it was read: several where it was updated meanwhile. */
export type KnownVersions = readonly (readonly StoredValue[])[];

/** One table before it was replaced, or after: rowids mean the same rows in it. */
export interface Incarnation {
  /** The first generation that shipped it. */
  readonly sinceGeneration: number;
  readonly rows: ReadonlyMap<bigint, KnownVersions>;
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
 * I1: holds the contents of all objects of one table against the rows as they were when they were read. Every row
 * up to the cursor of the newest incarnation is in exactly one of them, by content; rows that an earlier
 * generation shipped may come once more where the table was replaced.
 */
export async function compareContents(
  objects: readonly LakeObject[],
  table: ComparedTable,
  /** null: none was read */
  cursor: bigint | null,
): Promise<Contents> {
  const violations: string[] = [];
  const shipped = new Map<bigint, number>();
  const shippedBy = new Map<string, number>();
  const incarnationOf = (generation: number) =>
    table.incarnations.findLast(({ sinceGeneration }) => sinceGeneration <= generation) as Incarnation;
  const newest = table.incarnations.at(-1) as Incarnation;
  const count = (rowid: bigint, generation: number) => {
    if (incarnationOf(generation) === newest) shipped.set(rowid, (shipped.get(rowid) ?? 0) + 1);
    const key = `${generation} ${rowid}`;
    shippedBy.set(key, (shippedBy.get(key) ?? 0) + 1);
  };

  const rowwise = objects.filter(({ name }) => name.route.type !== "aggregated");
  for (const group of await bySchema(rowwise))
    for (const row of await readGroup(group, table)) {
      const { rowid, object } = row;
      const { generation, range, rows } = object.name;
      if (rowid < range.first || rowid > range.last)
        violations.push(`I1: row ${rowid} lies outside the range of ${object.key} (${rows} rows)`);
      count(rowid, generation);
      const known = incarnationOf(generation).rows.get(rowid);
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
    const isNewest = incarnationOf(generation) === newest;
    const rowids = [...incarnationOf(generation).rows.keys()].filter(
      (rowid) => range.first <= rowid && rowid <= range.last && !(isNewest && shipped.has(rowid)),
    );
    const rows = rowids.map((rowid) => incarnationOf(generation).rows.get(rowid)?.at(-1) ?? []);
    const problem = differenceOf(expectedFigures(rows, table), await foundFigures(object, table));
    if (problem) violations.push(`I1: the figures of ${object.key} are not those of its rows: ${problem}`);
    for (const rowid of rowids) count(rowid, generation);
  }

  for (const [key, times] of shippedBy)
    if (times > 1) violations.push(`I1: generation and row ${key} were shipped ${times} times`);
  const wasReplaced = table.incarnations.length > 1;
  for (const [rowid, times] of shipped)
    if (times > 1 && !wasReplaced) violations.push(`I1: row ${rowid} was shipped ${times} times`);
  let rows = 0;
  for (const rowid of newest.rows.keys()) {
    if (shipped.has(rowid)) rows++;
    else if (cursor !== null && rowid <= cursor && !isSharedWithEarlier(rowid))
      violations.push(`I1: row ${rowid} was never shipped`);
  }
  return { rows, violations };

  /** A replaced table goes on behind the last row that is the same; that one was shipped before. */
  function isSharedWithEarlier(rowid: bigint): boolean {
    const version = newest.rows.get(rowid)?.at(-1)?.join();
    return table.incarnations.some(
      ({ rows }) => rows !== newest.rows && rows.get(rowid)?.some((other) => other.join() === version),
    );
  }
}

interface ShippedRow {
  readonly object: LakeObject;
  readonly rowid: bigint;
  readonly values: readonly StoredValue[];
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
    return { object, rowid: row[rowidAt] as bigint, values };
  });
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
