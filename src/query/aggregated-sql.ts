import type { SourceColumn } from "../core/types.ts";
import { MAX_ARGUMENTS } from "../sqlite/limits.ts";
import { quoteName } from "../sqlite/names.ts";
import { indent, listLines } from "./sql-text.ts";

/** Rows that are grouped: expressions over the columns of the source, and columns. */
export interface GroupedRows {
  readonly micros: string;
  readonly isAnomaly: string | null;
  readonly groups: readonly SourceColumn[];
  readonly metrics: readonly SourceColumn[];
  /** FROM and WHERE. */
  readonly range: string;
}

/**
 * Rows by window and group. The LIMIT keeps SQLite from working a value out again for each figure: see schematized.ts.
 *
 * @param outputs what is selected of the keys `time_window` and `group_0` …, `is_anomaly`, and `metric_0` …
 */
export function groupBySql(
  { micros, isAnomaly, groups, metrics, range }: GroupedRows,
  outputs: readonly string[],
): string {
  const values = [
    `${micros} AS micros`,
    ...groups.map((column, index) => `${groupValue(column)} AS group_${index}`),
    ...(isAnomaly ? [`${isAnomaly} AS is_anomaly`] : []),
    ...metrics.map((column, index) => `${metricValue(column)} AS metric_${index}`),
  ];
  const keys = ["time_window", ...groups.map((_, index) => `group_${index}`)].join(", ");
  return `SELECT
${listLines(outputs)}
FROM (
  SELECT *, micros / @window - (micros % @window < 0) AS time_window
  FROM (
    SELECT
${listLines(values, 6)}
    ${indent(range, 4)}
    LIMIT -1
  )
)
GROUP BY ${keys}
ORDER BY ${keys}`;
}

/**
 * The same by `grouped` of native/, which takes groups and metrics as they are stored and makes of them what
 * `groupValue` and `metricValue` do. Null where there are more than a function takes.
 */
export function groupedSql({ micros, isAnomaly, groups, metrics, range }: GroupedRows): string | null {
  const layout = `'${"g".repeat(groups.length)}${isAnomaly ? "f" : ""}${"m".repeat(metrics.length)}'`;
  const stored = (columns: readonly SourceColumn[]) => columns.map((column) => quoteName(column.name));
  const flags = isAnomaly ? [isAnomaly] : [];
  const values = [layout, "@window", micros, ...stored(groups), ...flags, ...stored(metrics)];
  return values.length > MAX_ARGUMENTS ? null : `SELECT grouped(\n${listLines(values)}\n)\n${range}`;
}

function groupValue(column: SourceColumn): string {
  const name = quoteName(column.name);
  return `CASE WHEN ${storedValue(name)} >= x'' THEN quote(${name}) ELSE CAST(${name} AS TEXT) END`;
}

/**
 * Adding 0.0 makes doubles of integers, and 0.0 of -0.0, so that minima and maxima do not depend on the order of
 * rows.
 */
function metricValue(column: SourceColumn): string {
  const name = quoteName(column.name);
  const stored = storedValue(name);
  return `CASE WHEN ${stored} > -9e999 AND ${stored} < 9e999 THEN ${name} + 0.0 END`;
}

/**
 * For comparisons that tell what is stored, in less than half the time that typeof() takes: every number is less than
 * every text, which is less than every blob. The plus takes the column's affinity off, which would convert.
 */
function storedValue(name: string): string {
  return `+${name} COLLATE BINARY`;
}
