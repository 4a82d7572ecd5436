import { DataType, type Vector } from "apache-arrow";
import type { SourceSchema, SqlValue } from "../core/types.ts";
import { createColumnNamer } from "../query/column-names.ts";
import { rawColumns } from "../query/source-columns.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";

/** Whether a row that was delivered is still the one under its rowid; unknown: it is gone, or has no time. */
export type Sameness = "same" | "other" | "unknown";

export interface Compared {
  readonly sameness: Sameness;
  /** The row that tells; null where none does. */
  readonly rowid: bigint | null;
}

/** Rows without a time, or gone, that are passed over before an object is given up. */
const MOST_ROWS = 10_000;

/** The columns of an object that `compareRows` needs; null where the source has no timestamp column. */
export function columnsToCompare(schema: SourceSchema): { readonly time: string } | null {
  const column = rawColumns(schema, createColumnNamer()).find(
    ({ source }) => source === schema.timestampColumn,
  );
  return column ? { time: column.name } : null;
}

/**
 * Compares the times of an object's rows with those of the source, the highest row first, and answers for the
 * first that tells.
 *
 * @param rowids in ascending order
 * @param times what the object has of them: as stored, or as a timestamp in microseconds
 */
export function compareRows(
  db: Connection,
  schema: SourceSchema,
  { rowids, times }: { readonly rowids: BigInt64Array; readonly times: Vector },
): Compared {
  const time = quoteName(schema.timestampColumn ?? "");
  const statement = db.prepare(
    `SELECT ${time} AS stored, timestamp_micros(${time}) AS micros
     FROM main.${quoteName(schema.table)} WHERE ${quoteName(schema.rowidName)} = ?`,
  );
  const micros = DataType.isTimestamp(times.type) ? (times.toArray() as BigInt64Array) : null;
  for (let index = rowids.length - 1; index >= Math.max(0, rowids.length - MOST_ROWS); index--) {
    const rowid = rowids[index] as bigint;
    const row = statement.get(rowid) as { stored: SqlValue; micros: bigint | null } | undefined;
    if (!row || !times.isValid(index)) continue;
    const sameness = micros
      ? compareValues(micros[index] as bigint, row.micros)
      : compareValues(times.get(index), row.stored);
    if (sameness !== "unknown") return { sameness, rowid };
  }
  return { sameness: "unknown", rowid: null };
}

function compareValues(delivered: unknown, there: SqlValue): Sameness {
  if (there === null) return "other";
  if (typeof delivered === "number" && typeof there === "bigint") there = Number(there);
  if (typeof delivered !== typeof there || typeof delivered === "object") return "unknown";
  return delivered === there ? "same" : "other";
}
