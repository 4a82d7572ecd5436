import { UploaderError } from "../core/errors.ts";
import type {
  ConstantColumn,
  PipelineQuery,
  QueryColumn,
  QuerySettings,
  RouteQuery,
  Scalar,
  SourceSchema,
} from "../core/types.ts";
import { MAX_COLUMNS } from "../sqlite/limits.ts";
import { quoteName } from "../sqlite/names.ts";
import { PROPERTY_TYPES } from "./casts.ts";
import { createColumnNamer, type NameColumn } from "./column-names.ts";
import { createParameters } from "./parameters.ts";
import { checksOf, type FieldValue } from "./property-checks.ts";
import { ROWID_COLUMN, rawColumns } from "./source-columns.ts";
import { chunk, indent, joinTerms, listLines } from "./sql-text.ts";
import { resolveTableSchema, type SchemaField } from "./table-schema.ts";

/** Below SQLite's most arguments of a function. */
const MAX_ARGUMENTS = 100;

/**
 * Rows are cast to and checked against the table's schema. Those that pass have its types and the enriched
 * constants; those that fail go to rejected, with their columns as stored and, in `_errors`, a JSON array of
 * `{"column", "error"}` that names every failure.
 *
 * @throws {UploaderError} CONFIG_INVALID where the schema cannot be used, SOURCE_UNSUPPORTED for a table so
 *   wide that SQLite cannot hold its values twice
 */
export function schematizedQuery(schema: SourceSchema, settings: QuerySettings): PipelineQuery {
  const { version, fields } = resolveTableSchema(schema, settings.schematized.schemas);
  const checked = checkRows(schema, fields);
  const schemaVersion: ConstantColumn = { name: "_schema_version", type: "string", value: version };
  const nameColumn = createColumnNamer();
  const accepted: RouteQuery = {
    route: { type: "schematized", rejected: false },
    sql: checked.select(checked.values, "IS NOT TRUE"),
    parameters: checked.parameters,
    columns: [...typedColumns(fields, nameColumn), ROWID_COLUMN],
    constants: [...absentColumns(fields, nameColumn), ...enrich(settings, nameColumn), schemaVersion],
    rowwise: true,
  };
  const rejected: RouteQuery = {
    route: { type: "schematized", rejected: true },
    sql: checked.select([...checked.storedValues, checked.errors], "IS TRUE"),
    parameters: checked.parameters,
    columns: [
      ...rawColumns(schema, createColumnNamer()),
      { name: "_errors", type: "string", source: null },
      ROWID_COLUMN,
    ],
    constants: [schemaVersion],
    rowwise: true,
  };
  return { routes: [accepted, rejected], firstOpenRow: null };
}

interface CheckedRows {
  /** The SELECT of these expressions for the rows of which "it fails" is, or is not, true. */
  select(expressions: readonly string[], outcome: "IS TRUE" | "IS NOT TRUE"): string;
  readonly values: readonly string[];
  readonly storedValues: readonly string[];
  readonly errors: string;
  readonly parameters: RouteQuery["parameters"];
}

/**
 * The subquery holds each value as stored and as cast. Its LIMIT keeps SQLite from putting those expressions
 * in the place of their names, so that each is worked out once a row, however many checks look at it:
 * https://sqlite.org/optoverview.html#subquery_flattening
 */
function checkRows(schema: SourceSchema, fields: readonly SchemaField[]): CheckedRows {
  const parameters = createParameters("p");
  const computed: string[] = [];
  const values: string[] = [];
  const storedValues: string[] = [];
  const failures: { fails: string; error: string }[] = [];

  for (const field of fields) {
    const value = field.column && nameValue(field, computed);
    for (const { fails, error } of checksOf(field, value, parameters))
      failures.push({ fails, error: parameters.bind(JSON.stringify({ column: field.name, error })) });
    if (!value) continue;
    values.push(value.cast);
    storedValues.push(value.stored);
  }
  if (computed.length >= MAX_COLUMNS) throw tooWide(schema);

  const rowid = quoteName(schema.rowidName);
  const rows = `SELECT
${listLines([...computed, `${rowid} AS "_rowid"`])}
FROM ${quoteName(schema.table)}
WHERE ${rowid} BETWEEN @first AND @last
ORDER BY "_rowid"
LIMIT -1`;
  const fails = joinTerms(
    failures.map((failure) => failure.fails),
    "OR",
  );
  return {
    values,
    storedValues,
    errors: `'[' || ${listJson(failures.map(({ fails, error }) => `CASE WHEN ${fails} THEN ${error} END`))} || ']'`,
    parameters: parameters.values,
    select: (expressions, outcome) => `SELECT
${listLines([...expressions, `"_rowid"`])}
FROM (
  ${indent(rows, 2)}
)
WHERE (
  ${indent(fails, 2)}
) ${outcome}
ORDER BY "_rowid"`,
  };
}

/** Adds a column's value, as stored and as cast, to the subquery; they are one where the schema gives no type. */
function nameValue({ name, property }: SchemaField, computed: string[]): FieldValue {
  const column = quoteName(name);
  const stored = `stored_${computed.length}`;
  // A subquery's column looks for its collation, which only the sensor's program may know.
  computed.push(`${column} COLLATE BINARY AS ${stored}`);
  if (!property.type) return { stored, cast: stored };
  const cast = `cast_${computed.length}`;
  computed.push(`${PROPERTY_TYPES[property.type].cast(column)} AS ${cast}`);
  return { stored, cast };
}

/** Texts that may be null, with commas between those that are not: `concat_ws` skips nulls. */
function listJson(items: readonly string[]): string {
  if (items.length === 0) return "''";
  if (items.length <= MAX_ARGUMENTS) return `concat_ws(\n${listLines(["','", ...items])}\n)`;
  return listJson(chunk(items, MAX_ARGUMENTS).map((group) => `nullif(${listJson(group)}, '')`));
}

function typedColumns(fields: readonly SchemaField[], nameColumn: NameColumn): QueryColumn[] {
  return fields.flatMap(({ column, property }) => {
    if (!column) return [];
    const type = property.type ? PROPERTY_TYPES[property.type].columnType : column.type;
    return [{ name: nameColumn(column.name), type, source: column.name }];
  });
}

/** Columns that only the schema names, so that the lake's table has them whatever this source has. */
function absentColumns(fields: readonly SchemaField[], nameColumn: NameColumn): ConstantColumn[] {
  return fields
    .filter((field) => !field.column)
    .map(({ name, property }) => ({
      name: nameColumn(name),
      type: PROPERTY_TYPES[property.type ?? "string"].columnType,
      value: null,
    }));
}

/** Every number is a double: a node that writes 3 and one that writes 3.5 fill the same column. */
function enrich(settings: QuerySettings, nameColumn: NameColumn): ConstantColumn[] {
  return Object.entries(settings.schematized.enrich).map(([name, value]) => ({
    name: nameColumn(name),
    type: enrichedType(value),
    value,
  }));
}

function enrichedType(value: Scalar): ConstantColumn["type"] {
  if (typeof value === "boolean") return "boolean";
  return typeof value === "number" ? "double" : "string";
}

function tooWide(schema: SourceSchema): UploaderError {
  return new UploaderError({
    code: "SOURCE_UNSUPPORTED",
    message: `Table ${schema.table} has ${schema.columns.length} columns, too many for schematized.`,
    hint: "Ship it as raw, or give it a schema that names the type of fewer columns.",
  });
}
