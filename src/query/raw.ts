import type { PipelineQuery, Route, RouteQuery, SourceSchema } from "../core/types.ts";
import { quoteName } from "../sqlite/names.ts";
import { createColumnNamer } from "./column-names.ts";
import { ROWID_COLUMN, rawColumns } from "./source-columns.ts";
import { indent, listLines } from "./sql-text.ts";

/** Every column of every row, as stored. */
export function rawQuery(schema: SourceSchema): PipelineQuery {
  return { routes: [selectRows(schema, { type: "raw", rejected: false })], firstOpenRow: null };
}

/**
 * The rows of a range with their columns as stored, on their way along one route.
 *
 * @param filter further condition on the row, in SQL, and what it binds
 */
export function selectRows(
  schema: SourceSchema,
  route: Route,
  filter?: Pick<RouteQuery, "sql" | "parameters">,
): RouteQuery {
  const rowid = quoteName(schema.rowidName);
  const selected = [...schema.columns.map((column) => quoteName(column.name)), `${rowid} AS "_rowid"`];
  return {
    route,
    sql: [
      `SELECT\n${listLines(selected)}`,
      `FROM ${quoteName(schema.table)}`,
      `WHERE ${rowid} BETWEEN @first AND @last`,
      ...(filter ? [`  AND ${indent(filter.sql, 2)}`] : []),
      `ORDER BY "_rowid"`,
    ].join("\n"),
    parameters: filter?.parameters ?? {},
    columns: [...rawColumns(schema, createColumnNamer()), ROWID_COLUMN],
    constants: [],
    rowwise: true,
  };
}
