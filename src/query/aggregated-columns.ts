import { UploaderError } from "../core/errors.ts";
import type { QuerySettings, SourceColumn, SourceSchema } from "../core/types.ts";
import { findColumn, isSameName } from "./source-columns.ts";

/** The columns that aggregated looks at. */
export interface AggregatedColumns {
  readonly groups: readonly SourceColumn[];
  readonly metrics: readonly SourceColumn[];
  readonly anomalyFlag: SourceColumn | null;
}

const SENSOR_ID_NAMES = ["sensor_id", "device_id", "asset_id", "asset"];
const LOCATION_NAMES = ["location"];
const ANOMALY_FLAG_NAMES = ["anomaly_flag", "is_anomaly", "anomaly"];

/** Numbers that say which, whether or where, and not how much: keys, codes, flags, coordinates. */
const NOT_MEASURED = /^(id|.+_id|.+_code|is_.+|.+_flag|flag|synced|anomaly|lat|latitude|lon|lng|longitude)$/i;

/**
 * Chooses them. By default the groups are the first of sensor_id, device_id, asset_id and asset that the
 * table has, and location; the metrics are the columns declared numeric, but for keys, the timestamp, the
 * groups, and what {@link NOT_MEASURED} names.
 *
 * @throws {UploaderError} CONFIG_INVALID where the settings name a column that the table lacks
 */
export function chooseAggregatedColumns(
  schema: SourceSchema,
  { groupBy, metrics }: QuerySettings["aggregated"],
): AggregatedColumns {
  const firstOf = (names: readonly string[]): SourceColumn[] => {
    const found = names.map((name) => findColumn(schema, name)).find((column) => column !== undefined);
    return found ? [found] : [];
  };
  const groups = groupBy
    ? named(schema, groupBy, "aggregated.group_by")
    : [...firstOf(SENSOR_ID_NAMES), ...firstOf(LOCATION_NAMES)];
  return {
    groups,
    metrics: metrics
      ? named(schema, metrics, "aggregated.metrics")
      : schema.columns.filter((column) => !groups.includes(column) && isMeasured(column, schema)),
    anomalyFlag: firstOf(ANOMALY_FLAG_NAMES)[0] ?? null,
  };
}

function isMeasured(column: SourceColumn, schema: SourceSchema): boolean {
  const isNumeric = column.type === "int64" || column.type === "double";
  const isKey = column.primaryKeyPosition > 0 || isSameName(column.name, schema.rowidName);
  return (
    isNumeric && !isKey && !isSameName(column.name, schema.timestampColumn) && !NOT_MEASURED.test(column.name)
  );
}

function named(schema: SourceSchema, names: readonly string[], setting: string): SourceColumn[] {
  const columns = names.map((name) => {
    const column = findColumn(schema, name);
    if (column) return column;
    throw new UploaderError({
      code: "CONFIG_INVALID",
      message: `Table ${schema.table} has no column ${name}, which ${setting} names.`,
      hint: `Name columns that it has: ${schema.columns.map((known) => known.name).join(", ")}.`,
    });
  });
  return [...new Set(columns)];
}
