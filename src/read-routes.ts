import type Database from "better-sqlite3";
import type { RouteQuery, SourceSchema, SqlValue } from "./core/types.ts";
import type { ColumnBatch } from "./encode/column-batch.ts";
import { readColumnar } from "./encode/read-columnar.ts";
import { readColumns } from "./encode/read-columns.ts";
import { omittedValue } from "./encode/rescue.ts";
import type { ReadContext } from "./read.ts";
import type { SourceHazard } from "./source/hazards.ts";
import { createInvalidTextTest, readInvalidText } from "./source/invalid-text.ts";
import type { OversizedValue } from "./source/oversized.ts";
import { type CountedRange, endingAt } from "./source/range.ts";
import { hasColumnar } from "./sqlite/columnar-extension.ts";
import type { Connection } from "./sqlite/open.ts";

/** What a read leaves out or leaves to the next one, because of its bytes. */
export interface ReadBounds {
  /** Rows are taken until they have so many. */
  readonly maxBytes: number;
  /** Of the one row of the range, or none. */
  readonly omitted: readonly OversizedValue[];
  readonly onHazard: (hazard: SourceHazard) => void;
}

export interface RoutesRead {
  readonly range: CountedRange;
  readonly batches: readonly (ColumnBatch | null)[];
}

/** Runs the query of each route over the range, or over as much of it as the limit in bytes lets through. */
export function readRoutes(
  db: Connection,
  context: ReadContext,
  range: CountedRange,
  bounds: ReadBounds,
): RoutesRead {
  const batches: (ColumnBatch | null)[] = [];
  let shared = 0;
  for (const [index, query] of context.query.routes.entries()) {
    if (query.rowwise && shared === range.rows) {
      batches.push(null);
      continue;
    }
    const result = readRoute(db, context.schema, query, range, bounds);
    if (!result.complete && result.lastRowid !== null && result.lastRowid < range.last) {
      const shorter = endingAt(db, context.schema, range, result.lastRowid);
      if (index > 0) return readRoutes(db, context, shorter, bounds);
      range = shorter;
    }
    shared += result.batch.rows;
    batches.push(result.batch.rows > 0 ? result.batch : null);
  }
  return { range, batches };
}

function readRoute(
  db: Connection,
  schema: SourceSchema,
  query: RouteQuery,
  range: CountedRange,
  { omitted, onHazard, maxBytes }: ReadBounds,
) {
  const parameters = { ...query.parameters, first: range.first, last: range.last };
  const options = {
    columns: query.columns,
    rowwise: query.rowwise,
    maxRows: range.rows,
    maxBytes,
    mayBeInvalid: createInvalidTextTest(db),
    readInvalidText: (rowid: bigint, column: string) => readInvalidText(db, schema, rowid, column),
    omitted: omitted.map(({ column, type, bytes }) => [column, omittedValue(type, bytes)] as const),
    onOmitted: (rowid: bigint | null, column: string, bytes: number) =>
      onHazard({ kind: "omitted", rowid, column, bytes }),
  };
  const isNative = hasColumnar(db) && omitted.length === 0;
  const read = isNative ? readColumnar(db, { ...query, parameters }, options) : null;
  return read ?? readColumns(statementFor(db, query).iterate(parameters) as Iterable<SqlValue[]>, options);
}

/** Statements live as long as the query they are for. */
const statements = new WeakMap<RouteQuery, Database.Statement>();

function statementFor(db: Connection, query: RouteQuery): Database.Statement {
  let statement = statements.get(query);
  if (!statement) {
    statement = db.prepare(query.sql).raw();
    statements.set(query, statement);
  }
  return statement;
}
