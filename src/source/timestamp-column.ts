import type { SourceColumn } from "../core/types.ts";

/** Names that a column with the time of a reading goes by, the likeliest first. */
const NAMES = [
  "timestamp",
  "ts",
  "time",
  "datetime",
  "event_timestamp",
  "event_time",
  "measured_at",
  "measurement_time",
  "measurementtime",
  "recorded_at",
  "reading_time",
  "observed_at",
  "sampled_at",
  "created_at",
  "inserted_at",
  "date",
];

/**
 * The column that says when a row was measured: by its name, else the only one declared as a date or time;
 * null where neither finds one.
 */
export function detectTimestampColumn(columns: readonly SourceColumn[]): string | null {
  for (const name of NAMES) {
    const column = columns.find((candidate) => candidate.name.toLowerCase() === name);
    if (column) return column.name;
  }
  const declared = columns.filter(({ declaredType }) => /^(DATETIME|TIMESTAMP|DATE)\b/i.test(declaredType));
  return declared.length === 1 ? (declared[0] as SourceColumn).name : null;
}
