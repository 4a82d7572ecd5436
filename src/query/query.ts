import type { PipelineQuery, PipelineType, QuerySettings, SourceSchema } from "../core/types.ts";
import { aggregatedQuery } from "./aggregated.ts";
import { emergencyQuery } from "./emergency.ts";
import { rawQuery } from "./raw.ts";
import { schematizedQuery } from "./schematized.ts";

/**
 * Makes a pipeline type concrete for a source: pure, and of its arguments alone.
 *
 * @throws {UploaderError} CONFIG_INVALID where the settings do not fit the source
 */
export type BuildQuery = (schema: SourceSchema, settings: QuerySettings) => PipelineQuery;

/**
 * What each pipeline type is. The SQL needs a connection on which `registerFunctions` of
 * ../sqlite/functions.ts was called.
 */
export const QUERIES: Readonly<Record<PipelineType, BuildQuery>> = {
  raw: rawQuery,
  schematized: schematizedQuery,
  aggregated: aggregatedQuery,
  emergency: emergencyQuery,
};
