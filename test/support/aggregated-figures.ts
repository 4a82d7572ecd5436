import type { ComparedTable } from "./lake-contents.ts";
import { duckdb, type LakeObject, type LakeRow } from "./lake-reader.ts";
import { instantOf, numberOf, type StoredValue, textOf } from "./stored-values.ts";

/** By window and group: rows, anomalies, and of each metric count, sum, minimum, maximum and sum of squares. */
export type Figures = Map<string, number[]>;

/** Worked out without the uploader's SQL, from what docs/OBJECTS.md says. */
export function expectedFigures(rows: readonly (readonly StoredValue[])[], table: ComparedTable): Figures {
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

/** Those of an aggregated object. */
export async function foundFigures(object: LakeObject, table: ComparedTable): Promise<Figures> {
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

/** The first that differ; null: none do. */
export function differenceOf(expected: Figures, found: Figures): string | null {
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
