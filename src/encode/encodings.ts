import type { ColumnBatch, ColumnData, ColumnSpec } from "./column-batch.ts";
import { repetitionOf } from "./repetition.ts";

/** How a column is encoded. */
export interface ColumnEncoding {
  readonly name: string;
  /** Whether its values are kept in a dictionary, as long as that has room for them. */
  readonly dictionary: boolean;
  /** Whether its chunks say their minimum and maximum, by which readers pass over them. */
  readonly statistics: boolean;
}

/**
 * Chooses by the values of an object's first batches, or of all that it has. Text that repeats is spread over all of an
 * object, so that its minimum and maximum would let nobody pass over anything. What is not known gets both, as Parquet
 * has it: a dictionary that grows too large ends by itself.
 */
export function chooseEncodings(
  columns: readonly ColumnSpec[],
  batches: readonly ColumnBatch[],
  areAll: boolean,
): ColumnEncoding[] {
  return columns.map(({ name, type }, index) => {
    if (type === "boolean") return { name, dictionary: false, statistics: true };
    const parts = batches.map((batch) => ({ column: batch.columns[index] as ColumnData, rows: batch.rows }));
    const repetition = repetitionOf(parts, areAll);
    return {
      name,
      dictionary: repetition !== "differs",
      statistics: !(repetition === "repeats" && type === "string"),
    };
  });
}
