import type { ColumnType, PropertySchema } from "../core/types.ts";

export type PropertyType = NonNullable<PropertySchema["type"]>;

/** What each type of a schema is in Parquet, how a stored value becomes one, and what is said of one that cannot. */
export const PROPERTY_TYPES: Readonly<
  Record<PropertyType, { columnType: ColumnType; cast: (column: string) => string; error: string }>
> = {
  string: { columnType: "string", cast: castToString, error: "is not a string" },
  number: { columnType: "double", cast: castToNumber, error: "is not a number that a double can hold" },
  integer: { columnType: "int64", cast: castToInteger, error: "is not a whole number of 64 bits" },
  boolean: { columnType: "boolean", cast: castToBoolean, error: "is not true or false" },
  timestamp: {
    columnType: "timestamp",
    cast: (column) => `timestamp_micros(${column})`,
    error: "is not a point in time",
  },
};

// Each cast is SQL that is null for a value which cannot become one of the type, and never an error.
// COLLATE overrules a column's own collation, which only the sensor's program may know.

/** Text as it is; numbers as SQLite writes them, which reads back as the same number. */
function castToString(column: string): string {
  return `CASE WHEN typeof(${column}) <> 'blob' THEN CAST(${column} AS TEXT) END`;
}

/** Reals, infinities included; integers that a double holds exactly; text that is a JSON number. */
function castToNumber(column: string): string {
  return `CASE typeof(${column})
  WHEN 'real' THEN ${column}
  WHEN 'integer' THEN CASE WHEN CAST(${column} AS REAL) = ${column} COLLATE BINARY THEN CAST(${column} AS REAL) END
  WHEN 'text' THEN number_of_text(${column})
END`;
}

/** Integers; reals without a fraction, within 64 bits; text that is a JSON number of the kind. */
function castToInteger(column: string): string {
  return `CASE typeof(${column})
  WHEN 'integer' THEN ${column}
  WHEN 'real' THEN CASE WHEN CAST(${column} AS INTEGER) = ${column} COLLATE BINARY THEN CAST(${column} AS INTEGER) END
  WHEN 'text' THEN integer_of_text(${column})
END`;
}

/** 0 and 1; the words `true` and `false` in any case. */
function castToBoolean(column: string): string {
  return `CASE
  WHEN typeof(${column}) IN ('integer', 'real') THEN CASE +${column} COLLATE BINARY WHEN 0 THEN 0 WHEN 1 THEN 1 END
  WHEN ${column} = 'true' COLLATE NOCASE THEN 1
  WHEN ${column} = 'false' COLLATE NOCASE THEN 0
END`;
}
