import { UploaderError } from "../core/errors.ts";
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

/**
 * A number of the settings as SQLite takes it: better-sqlite3 binds a JavaScript number as REAL, which as
 * text would be `80.0`, so whole numbers become bigints. True and false are 1 and 0.
 *
 * @throws {UploaderError} CONFIG_INVALID for NaN, which SQLite would take for NULL
 */
export function toSqlNumber(value: number | boolean): bigint | number {
  if (typeof value === "boolean") return value ? 1n : 0n;
  if (Number.isNaN(value))
    throw new UploaderError({ code: "CONFIG_INVALID", message: "NaN cannot be compared with anything." });
  return Number.isSafeInteger(value) ? BigInt(value) : value;
}

/** As {@link toSqlNumber}, with text and null as they are. */
export function toSqlValue(value: Scalar): SqlValue {
  return typeof value === "number" || typeof value === "boolean" ? toSqlNumber(value) : value;
}
