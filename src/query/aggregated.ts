import { UploaderError } from "../core/errors.ts";
import type {
  ColumnType,
  PipelineQuery,
  QueryColumn,
  QuerySettings,
  SourceColumn,
  SourceSchema,
} from "../core/types.ts";
import { MAX_COLUMNS } from "../sqlite/limits.ts";
import { quoteName } from "../sqlite/names.ts";
import { EARLIEST_MICROS, LATEST_MICROS } from "../sqlite/timestamp-micros.ts";
import { chooseAggregatedColumns } from "./aggregated-columns.ts";
import { type GroupedRows, groupBySql, groupedSql } from "./aggregated-sql.ts";
import { createColumnNamer } from "./column-names.ts";

const OWN_NAMES = ["window_start", "window_end", "reading_count", "anomaly_count"];

/**
 * The figures of one metric, over its finite numbers alone: what they are called, and how they are made. SQLite
 * keeps one accumulator for equal calls, so that the average costs nothing for each row.
 */
const FIGURES: readonly { suffix: string; type: ColumnType; sql: (metric: string) => string }[] = [
  { suffix: "count", type: "int64", sql: (metric) => `count(${metric})` },
  { suffix: "sum", type: "double", sql: (metric) => `total(${metric})` },
  { suffix: "min", type: "double", sql: (metric) => `min(${metric})` },
  { suffix: "max", type: "double", sql: (metric) => `max(${metric})` },
  { suffix: "avg", type: "double", sql: (metric) => `total(${metric}) / count(${metric})` },
  { suffix: "sum_sq", type: "double", sql: (metric) => `total(${metric} * ${metric})` },
];

/**
 * One row per window and group, with partial figures: merged by window and group, nulls equal, they are those
 * of one extraction, however the rows were split (counts added, sums added, least of the minima …).
 *
 * - A window is `floor(time / length)`, counted from the epoch; a row whose timestamp is null or unreadable,
 *   or whose table has none, is in the window null. Ends of windows stay within the years 0001 to 9999.
 * - A group column is text, so that any stored value keeps its group: text as it is (U+FFFD for bytes that are
 *   not valid), numbers as SQLite writes them, blobs as `X'C0FFEE'`.
 * - A figure counts numbers as doubles. Text, blobs and infinities are left out: with infinities of both signs
 *   a sum would be null in one extraction and not in another.
 * - `anomaly_count` counts the rows whose flag SQLite takes for true: numbers other than 0.
 *
 * @throws {UploaderError} CONFIG_INVALID where the settings do not fit the table
 */
export function aggregatedQuery(schema: SourceSchema, settings: QuerySettings): PipelineQuery {
  const { windowSeconds } = settings.aggregated;
  const { groups, metrics, anomalyFlag } = chooseAggregatedColumns(schema, settings.aggregated);
  const parameters = { window: windowMicros(windowSeconds) };
  const rowid = quoteName(schema.rowidName);
  const range = `FROM ${quoteName(schema.table)}\nWHERE ${rowid} BETWEEN @first AND @last`;
  const time =
    schema.timestampColumn === null ? null : `timestamp_micros(${quoteName(schema.timestampColumn)})`;
  const rows: GroupedRows = {
    micros: time ?? "NULL",
    isAnomaly: anomalyFlag && `${quoteName(anomalyFlag.name)} IS TRUE`,
    groups,
    metrics,
    range,
  };
  const outputs = outputsOf(groups, metrics, anomalyFlag !== null);
  if (outputs.length > MAX_COLUMNS) throw tooManyMetrics(schema, metrics.length);

  return {
    routes: [
      {
        route: { type: "aggregated", rejected: false },
        sql: groupBySql(
          rows,
          outputs.map((output) => output.sql),
        ),
        columnarSql: groupedSql(rows),
        parameters,
        columns: outputs.map((output) => output.column),
        constants: [],
        rowwise: false,
      },
    ],
    // A window ends after @now where it is the window of @now or a later one.
    firstOpenRow:
      time === null
        ? null
        : {
            sql: `SELECT min(${rowid})
${range}
  AND ${time} >= @now - (@now % @window + @window) % @window`,
            parameters,
            windowSeconds,
          },
  };
}

interface Output {
  readonly sql: string;
  readonly column: QueryColumn;
}

function outputsOf(
  groups: readonly SourceColumn[],
  metrics: readonly SourceColumn[],
  hasAnomalyFlag: boolean,
): Output[] {
  const nameColumn = createColumnNamer(OWN_NAMES);
  const output = (sql: string, name: string, type: ColumnType): Output => ({
    sql,
    column: { name, type, source: null },
  });
  return [
    output(`max(time_window * @window, ${EARLIEST_MICROS})`, "window_start", "timestamp"),
    output(`min((time_window + 1) * @window, ${LATEST_MICROS})`, "window_end", "timestamp"),
    ...groups.map((column, index) =>
      output(`well_formed(group_${index})`, nameColumn(column.name), "string"),
    ),
    output("count(*)", "reading_count", "int64"),
    ...(hasAnomalyFlag ? [output("count(*) FILTER (WHERE is_anomaly)", "anomaly_count", "int64")] : []),
    ...metrics.flatMap((column, index) =>
      FIGURES.map((figure) =>
        output(figure.sql(`metric_${index}`), nameColumn(`${column.name}_${figure.suffix}`), figure.type),
      ),
    ),
  ];
}

function windowMicros(windowSeconds: number): bigint {
  const micros = Math.round(windowSeconds * 1_000_000);
  if (Number.isSafeInteger(micros) && micros > 0) return BigInt(micros);
  throw new UploaderError({
    code: "CONFIG_INVALID",
    message: `aggregated.window is ${windowSeconds} seconds, which is not the length of a window.`,
    hint: "Give it a positive number of seconds, such as 60.",
  });
}

function tooManyMetrics(schema: SourceSchema, count: number): UploaderError {
  return new UploaderError({
    code: "CONFIG_INVALID",
    message: `Table ${schema.table} has ${count} columns to aggregate, more than one query can hold.`,
    hint: "Name those that matter in aggregated.metrics.",
  });
}
