import type { Scalar, SqlValue } from "../core/types.ts";

export interface Parameters {
  /** Gives a value a parameter's name, and returns it as it stands in SQL: `@c1`. */
  bind(value: SqlValue): string;
  readonly values: Record<string, SqlValue>;
}

/** Named parameters with a prefix of their own, so that they meet neither each other nor `@first` and `@last`. */
export function createParameters(prefix: string): Parameters {
  const values: Record<string, SqlValue> = {};
  let count = 0;
  return {
    values,
    bind(value) {
      count += 1;
      values[`${prefix}${count}`] = value;
      return `@${prefix}${count}`;
    },
  };
}

/** A value of the settings as SQLite takes it: true and false are 1 and 0. */
export function toSqlValue(value: Scalar): Exclude<SqlValue, Buffer> {
  return typeof value === "boolean" ? Number(value) : value;
}
