import type { PipelineQuery } from "./core/types.ts";
import { hasColumnar } from "./sqlite/columnar-extension.ts";
import { readEncoding } from "./sqlite/encoding.ts";
import type { Connection } from "./sqlite/open.ts";

/** A read ends at so many rows, which bounds the time of its transaction, or bytes, which bounds memory. */
export const MAX_READ_ROWS = 8_192;
const MAX_READ_BYTES = 16 * 1024 * 1024;

/** So many are grouped in less time than others are cast and checked; and so many values, should each be a group. */
const MAX_GROUPED_ROWS = 4 * MAX_READ_ROWS;
const MAX_GROUPED_VALUES = 1_500_000;

/**
 * The first read of an extraction is made on the main thread, where uploads, signals and health answers wait for it:
 * it ends at so many values, or bytes, besides. Of the sensor's 27 columns that is what a read has anyway, nearly.
 */
const MAX_FIRST_VALUES = 200_000;
const MAX_FIRST_BYTES = 4 * 1024 * 1024;

/** Where a read ends at the latest. */
export interface ReadLimits {
  /** One at least. */
  readonly maxRows: number;
  readonly maxBytes: number;
}

/** The columns of a query are what its time goes by, those of figures too. */
export function readLimits(db: Connection, { routes }: PipelineQuery, isFirst: boolean): ReadLimits {
  const columns = Math.max(...routes.map((route) => route.columns.length));
  const rowsOf = (values: number) => Math.ceil(values / columns);
  if (isFirst)
    return { maxRows: Math.min(MAX_READ_ROWS, rowsOf(MAX_FIRST_VALUES)), maxBytes: MAX_FIRST_BYTES };
  const isGrouped =
    hasColumnar(db) && readEncoding(db) === "UTF-8" && routes.every(({ columnarSql }) => columnarSql);
  const groupedRows = Math.max(MAX_READ_ROWS, Math.min(MAX_GROUPED_ROWS, rowsOf(MAX_GROUPED_VALUES)));
  return { maxRows: isGrouped ? groupedRows : MAX_READ_ROWS, maxBytes: MAX_READ_BYTES };
}
