import type { ConstantColumn } from "../core/types.ts";
import type { ColumnBatch, ColumnData } from "./column-batch.ts";
import { createColumnBuilder } from "./column-builders.ts";

/** Adds columns that have one value in every row, such as `_node_id`, behind those of a batch. */
export function createConstantAppender(
  constants: readonly ConstantColumn[],
): (batch: ColumnBatch) => ColumnBatch {
  let filled: { readonly rows: number; readonly columns: ColumnData[] } = { rows: -1, columns: [] };
  return (batch) => {
    if (batch.rows !== filled.rows)
      filled = { rows: batch.rows, columns: constants.map((constant) => fill(constant, batch.rows)) };
    return { rows: batch.rows, columns: [...batch.columns, ...filled.columns] };
  };
}

function fill(constant: ConstantColumn, rows: number): ColumnData {
  const builder = createColumnBuilder(constant.type, rows);
  const value = typeof constant.value === "boolean" ? BigInt(constant.value) : constant.value;
  for (let row = 0; row < rows; row++) {
    if (value === null) builder.appendNull();
    else if (!builder.append(value))
      throw new TypeError(`the constant ${constant.name} is no ${constant.type}: ${String(value)}`);
  }
  return builder.finish();
}
