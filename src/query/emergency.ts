import type { PipelineQuery, QuerySettings, Route, SourceSchema } from "../core/types.ts";
import { compileCondition } from "./conditions.ts";
import { selectRows } from "./raw.ts";
import { indent } from "./sql-text.ts";

const RAW: Route = { type: "raw", rejected: false };
const EMERGENCY: Route = { type: "emergency", rejected: false };

/**
 * The rows that match `emergency.filter` go to emergency, all others, those included of which the filter is
 * neither true nor false, to raw. Where the table lacks a column of the filter, every row goes to emergency.
 *
 * @throws {UploaderError} CONFIG_INVALID where the filter cannot be understood
 */
export function emergencyQuery(schema: SourceSchema, settings: QuerySettings): PipelineQuery {
  const { sql, parameters, missingColumns } = compileCondition(settings.emergency.filter, schema);
  if (missingColumns.length > 0) return { routes: [selectRows(schema, EMERGENCY)], firstOpenRow: null };
  const block = `\n  ${indent(sql, 2)}\n`;
  return {
    routes: [
      selectRows(schema, RAW, { sql: `(${block}) IS NOT TRUE`, parameters }),
      selectRows(schema, EMERGENCY, { sql: `(${block}) IS TRUE`, parameters }),
    ],
    firstOpenRow: null,
  };
}
