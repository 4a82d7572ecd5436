import type { ColumnType, RouteQuery, RowRange, SourceSchema, SqlValue } from "../../src/core/types.ts";
import { readColumnar } from "../../src/encode/read-columnar.ts";
import { type ReadColumnsResult, readColumns } from "../../src/encode/read-columns.ts";
import { createInvalidTextTest, readInvalidText } from "../../src/source/invalid-text.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { ALL_ROWS } from "../query/tables.ts";

/** A result with all its bytes, in a form that compares. */
export interface PlainResult extends Omit<ReadColumnsResult, "batch"> {
  readonly rows: number;
  readonly columns: readonly {
    readonly type: ColumnType;
    readonly nullCount: number;
    readonly validity: string | null;
    readonly values: string;
    readonly offsets: string | null;
  }[];
}

/** What the extension, and what TypeScript makes of a query; null where the extension leaves it to TypeScript. */
export function readBothWays(
  db: Connection,
  schema: SourceSchema,
  query: Pick<RouteQuery, "sql" | "columnarSql" | "parameters" | "columns" | "rowwise">,
  {
    maxBytes = 2 ** 30,
    range = ALL_ROWS,
    ...more
  }: { maxBytes?: number; range?: RowRange; maxRowBytes?: number } = {},
): { readonly native: PlainResult | null; readonly typescript: PlainResult } {
  const parameters = { ...query.parameters, first: range.first, last: range.last };
  const options = {
    columns: query.columns,
    rowwise: query.rowwise,
    maxBytes,
    readInvalidText: (rowid: bigint, column: string) => readInvalidText(db, schema, rowid, column),
    ...more,
  };
  const native = readColumnar(db, { ...query, parameters }, options);
  const statement = db.prepare(query.sql).raw();
  const typescript = readColumns(statement.iterate(parameters) as Iterable<SqlValue[]>, {
    ...options,
    maxRows: 10_000,
    mayBeInvalid: createInvalidTextTest(db),
  });
  return { native: native && plain(native), typescript: plain(typescript) };
}

function plain({ batch, lastRowid, complete }: ReadColumnsResult): PlainResult {
  const columns = batch.columns.map(({ type, nullCount, validity, values, offsets }) => ({
    type,
    nullCount,
    validity: validity && hex(validity),
    values: hex(values),
    offsets: offsets && hex(offsets),
  }));
  return { rows: batch.rows, columns, lastRowid, complete };
}

function hex(array: ArrayBufferView): string {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("hex");
}
