/** The vocabulary that the stages share; docs/ARCHITECTURE.md defines the words. */

export const PIPELINE_TYPES = ["raw", "schematized", "aggregated", "emergency"] as const;
export type PipelineType = (typeof PIPELINE_TYPES)[number];

export function isPipelineType(value: unknown): value is PipelineType {
  return (PIPELINE_TYPES as readonly unknown[]).includes(value);
}

/** Where a row goes: the bucket of a type, and there to `rejected/` if it failed the schema. */
export interface Route {
  readonly type: PipelineType;
  readonly rejected: boolean;
}

/** The types that Spark and Auto Loader read without help. `timestamp` is microseconds in UTC. */
export type ColumnType = "int64" | "double" | "string" | "boolean" | "binary" | "timestamp";

export interface SourceColumn {
  readonly name: string;
  /** As written in the DDL; empty where there is none. */
  readonly declaredType: string;
  /** What raw ships it as. */
  readonly type: ColumnType;
  /** 1 for the first column of the primary key, 2 for the second …; 0 for the others. */
  readonly primaryKeyPosition: number;
  readonly notNull: boolean;
}

/** A source as it stood in one read transaction. */
export interface SourceSchema {
  readonly table: string;
  readonly columns: readonly SourceColumn[];
  /** A name under which SQL reaches the rowid: an INTEGER PRIMARY KEY, or one of rowid, _rowid_, oid. */
  readonly rowidName: string;
  /** Whether the rowid is a declared INTEGER PRIMARY KEY, which VACUUM keeps. */
  readonly rowidIsDeclared: boolean;
  /** Whether SQLite promises never to give a rowid twice. */
  readonly autoincrement: boolean;
  readonly timestampColumn: string | null;
}

/** Rows by rowid, both ends inclusive. */
export interface RowRange {
  readonly first: bigint;
  readonly last: bigint;
}

/** What SQLite can hold, as better-sqlite3 gives it with safe integers. */
export type SqlValue = bigint | number | string | Buffer | null;

export interface QueryColumn {
  /** The name in Parquet: unique whatever the case, and free of the characters that Spark refuses. */
  readonly name: string;
  readonly type: ColumnType;
  /** The source's column, for the key in `_rescued` and to read its bytes again; null where computed. */
  readonly source: string | null;
}

/** A column with one value for all rows of an object; it costs the query nothing. */
export interface ConstantColumn {
  readonly name: string;
  readonly type: ColumnType;
  readonly value: SqlValue | boolean;
}

/**
 * The SELECT for one route of a pipeline type. Over one range, the routes of a type share the rows out:
 * each row is in exactly one of them.
 */
export interface RouteQuery {
  readonly route: Route;
  /** Binds `@first` and `@last` (the range, inclusive) besides `parameters`. */
  readonly sql: string;
  /**
   * Selects, with the same parameters, the blob that `columnar` of native/ makes of `sql`, by a function there that takes
   * less time. Null or left out: there is none.
   */
  readonly columnarSql?: string | null;
  readonly parameters: Readonly<Record<string, SqlValue>>;
  /** In the order of the SELECT. */
  readonly columns: readonly QueryColumn[];
  readonly constants: readonly ConstantColumn[];
  /**
   * True where each result row is one source row, in the order of the rowids, with the column `_rowid`.
   * Such a result gets a column `_rescued` for the values that do not fit their column's type.
   */
  readonly rowwise: boolean;
}

/** A pipeline type made concrete for one source. */
export interface PipelineQuery {
  readonly routes: readonly RouteQuery[];
  /**
   * Present where rows may have to wait: selects the smallest rowid between `@first` and `@last` whose
   * window is not over at `@now` (microseconds since the epoch), as the one column of one row, or null.
   */
  readonly firstOpenRow: (Pick<RouteQuery, "sql" | "parameters"> & { readonly windowSeconds: number }) | null;
}

export type Scalar = string | number | boolean | null;

/** Comparisons of one column; several in one object must all hold. */
export interface Comparisons {
  readonly "="?: Scalar;
  readonly "!="?: Scalar;
  readonly "<"?: string | number;
  readonly "<="?: string | number;
  readonly ">"?: string | number;
  readonly ">="?: string | number;
  readonly in?: readonly Scalar[];
  readonly not_in?: readonly Scalar[];
}

/**
 * `{"temperature": {">": 80}, "location": "Berlin", "status_code": {"in": [1, 2]}}`: every column's
 * condition must hold. `$or`, `$and` and `$not` combine whole conditions.
 */
export interface Condition {
  readonly [column: string]: Scalar | Comparisons | Condition | readonly Condition[];
}

/** The JSON Schema keywords that schematized checks; `type: timestamp` is ours. */
export interface PropertySchema {
  readonly type?: "string" | "number" | "integer" | "boolean" | "timestamp";
  readonly minimum?: number;
  readonly maximum?: number;
  readonly enum?: readonly Scalar[];
  readonly pattern?: string;
  readonly maxLength?: number;
}

export interface TableSchema {
  /** Goes to the column `_schema_version`. */
  readonly version: string;
  readonly required: readonly string[];
  readonly properties: Readonly<Record<string, PropertySchema>>;
}

/** The settings that queries are made from. */
export interface QuerySettings {
  readonly emergency: { readonly filter: Condition };
  readonly schematized: {
    /** By table name; a table without an entry gets one derived from its DDL. */
    readonly schemas: Readonly<Record<string, TableSchema>>;
    readonly enrich: Readonly<Record<string, Scalar>>;
  };
  readonly aggregated: {
    readonly windowSeconds: number;
    /** null: the sensor id and location, where the table has them. */
    readonly groupBy: readonly string[] | null;
    /** null: every numeric column that is not a flag, a key or a coordinate. */
    readonly metrics: readonly string[] | null;
  };
}

/** A row of `pipeline_config` that is in effect; id 0 stands for the default before the first row. */
export interface Revision {
  readonly id: number;
  readonly type: PipelineType;
  readonly updatedAt: string;
  readonly updatedBy: string;
  readonly reason: string | null;
  readonly expiresAt: string | null;
}

/** An object that is complete on local disk and listed by the state. */
export interface OutboxObject {
  readonly id: number;
  readonly table: string;
  readonly generation: number;
  readonly sequence: number;
  readonly route: Route;
  /** The extraction's pipeline type, which is not the route's where emergency sends rows to raw. */
  readonly pipelineType: PipelineType;
  readonly revisionId: number;
  readonly bucket: string;
  readonly key: string;
  /** Absolute path of the file in the outbox. */
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  /** Lower-case hex. */
  readonly sha256: string;
  readonly firstRowid: bigint;
  readonly lastRowid: bigint;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  readonly extractedAt: string;
}

/** Where a server listens. */
export interface Address {
  readonly host: string;
  readonly port: number;
}
