import { createHash } from "node:crypto";
import { UploaderError } from "../core/errors.ts";
import type { PropertySchema, SourceColumn, SourceSchema, TableSchema } from "../core/types.ts";
import { compilePattern } from "../sqlite/functions.ts";
import { foldName, isSameName } from "./source-columns.ts";

/** The entry of `schematized.schema` for every table that has none of its own. */
const ANY_TABLE = "*";

/** What a schema says of one of its columns. */
export interface SchemaField {
  readonly name: string;
  /** null where the table has no such column. */
  readonly column: SourceColumn | null;
  readonly property: PropertySchema;
  readonly required: boolean;
}

/**
 * The schema that a source's rows are checked against: its own, else the one for any table (`"*"`), else one
 * derived from its DDL. With the columns of the table come, behind them, those that only the schema names.
 *
 * @throws {UploaderError} CONFIG_INVALID where the schema cannot be used
 */
export function resolveTableSchema(
  schema: SourceSchema,
  schemas: Readonly<Record<string, TableSchema>>,
): { version: string; fields: readonly SchemaField[] } {
  const tableSchema = lookUp(schemas, schema.table) ?? lookUp(schemas, ANY_TABLE) ?? deriveSchema(schema);
  const properties = new Map<string, { name: string; property: PropertySchema }>();
  for (const [name, property] of Object.entries(tableSchema.properties)) {
    assertUsable(schema.table, name, property);
    if (properties.has(foldName(name)))
      throw invalid(schema.table, name, "stands there twice, in different case");
    properties.set(foldName(name), { name, property });
  }
  const required = new Set(tableSchema.required.map(foldName));
  for (const name of tableSchema.required)
    if (!properties.has(foldName(name))) properties.set(foldName(name), { name, property: {} });

  const present = schema.columns.map((column): SchemaField => {
    const key = foldName(column.name);
    const property = withTimestamp(properties.get(key)?.property ?? {}, column, schema);
    properties.delete(key);
    return { name: column.name, column, property, required: required.has(key) };
  });
  const absent = [...properties].map(
    ([key, { name, property }]): SchemaField => ({
      name,
      column: null,
      property,
      required: required.has(key),
    }),
  );
  return { version: tableSchema.version, fields: [...present, ...absent] };
}

/** The schema of a table that has none: types and NOT NULL as in its DDL, a time in its timestamp column. */
function deriveSchema(schema: SourceSchema): TableSchema {
  const properties = schema.columns.map((column) => [column.name, derivedProperty(column, schema)] as const);
  const ddl = schema.columns.map((column) => [column.name, column.declaredType, column.notNull]);
  const hash = createHash("sha256")
    .update(JSON.stringify([ddl, schema.timestampColumn]))
    .digest("hex");
  return {
    version: `ddl-${hash.slice(0, 8)}`,
    required: schema.columns.filter((column) => column.notNull).map((column) => column.name),
    properties: Object.fromEntries(properties),
  };
}

function derivedProperty(column: SourceColumn, schema: SourceSchema): PropertySchema {
  if (isSameName(column.name, schema.timestampColumn)) return { type: "timestamp" };
  switch (column.type) {
    case "int64":
      return { type: "integer" };
    case "double":
      return { type: "number" };
    case "binary":
      return {};
    default:
      return { type: column.type };
  }
}

/** The source's timestamp column is a timestamp unless the schema gives it another type. */
function withTimestamp(property: PropertySchema, column: SourceColumn, schema: SourceSchema): PropertySchema {
  if (property.type || !isSameName(column.name, schema.timestampColumn)) return property;
  return { ...property, type: "timestamp" };
}

const TYPES: readonly unknown[] = ["string", "number", "integer", "boolean", "timestamp", undefined];

function assertUsable(table: string, name: string, { type, pattern }: PropertySchema): void {
  if (!TYPES.includes(type)) throw invalid(table, name, `has the unknown type ${JSON.stringify(type)}`);
  if (pattern !== undefined && !compilePattern(pattern))
    throw invalid(table, name, `has a pattern that is not a regular expression: ${pattern}`);
}

function lookUp(schemas: Readonly<Record<string, TableSchema>>, name: string): TableSchema | undefined {
  return Object.hasOwn(schemas, name) ? schemas[name] : undefined;
}

function invalid(table: string, name: string, problem: string): UploaderError {
  return new UploaderError({
    code: "CONFIG_INVALID",
    message: `The schema for table ${table} cannot be used: ${name} ${problem}.`,
    hint: "Correct schematized.schema in the configuration.",
  });
}
