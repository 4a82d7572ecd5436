import { UploaderError } from "../core/errors.ts";
import type { Condition, RouteQuery, Scalar, SourceColumn, SourceSchema } from "../core/types.ts";
import { quoteName } from "../sqlite/names.ts";
import { createParameters, type Parameters } from "./parameters.ts";
import { findColumn } from "./source-columns.ts";
import { joinTerms } from "./sql-text.ts";

export interface CompiledCondition extends Pick<RouteQuery, "sql" | "parameters"> {
  /** Columns that the condition names and the table lacks. */
  readonly missingColumns: readonly string[];
}

/** With at most 32 terms a level (sql-text.ts), these keep the expression below SQLite's depth of 1000. */
const MAX_PARTS = 1000;
const MAX_NESTING = 10;

const INFINITY = "CAST(9e999 AS NUMERIC)";

/**
 * Compiles a condition to SQL with bound values. It is true, false or, for nulls, neither, as in SQL; it is
 * never an error, whatever a row holds.
 *
 * - A number (true is 1, false 0; in a column declared numeric, also text that reads as a number) is
 *   compared with numbers and with text that reads as one: `{">": 80}` holds for 100 and '100', not for 9,
 *   'ERROR' or a blob, whatever the column's type.
 * - Text is compared with text alone, byte by byte, whatever the column's collation.
 * - Values of other kinds are unequal to it, and neither below nor above it.
 * - null in `=`, `!=`, `in` and `not_in` is the null in the column; otherwise a null in the column makes a
 *   comparison unknown, and `$not` of it as well.
 *
 * @throws {UploaderError} CONFIG_INVALID for an operator or a structure that this language does not have
 */
export function compileCondition(condition: Condition, schema: SourceSchema): CompiledCondition {
  const context: Context = { schema, parameters: createParameters("c"), missing: new Set(), parts: 0 };
  const sql = compileObject(condition, "", 0, context);
  return { sql, parameters: context.parameters.values, missingColumns: [...context.missing] };
}

interface Context {
  readonly schema: SourceSchema;
  readonly parameters: Parameters;
  readonly missing: Set<string>;
  parts: number;
}

function compileObject(condition: unknown, path: string, depth: number, context: Context): string {
  if (!isObject(condition)) throw invalid(path, "is not an object of columns and what they must be");
  if (depth > MAX_NESTING) throw invalid(path, `is nested more than ${MAX_NESTING} levels deep`);
  const terms = Object.entries(condition).map(([key, value]) => {
    const place = path ? `${path}.${key}` : key;
    countPart(place, context);
    if (key === "$not") return `NOT (${compileObject(value, place, depth + 1, context)})`;
    if (key === "$and" || key === "$or") {
      if (!Array.isArray(value) || value.length === 0) throw invalid(place, "is not a list of conditions");
      const parts = value.map((part, index) => {
        countPart(place, context);
        return compileObject(part, `${place}[${index}]`, depth + 1, context);
      });
      return joinTerms(parts, key === "$and" ? "AND" : "OR");
    }
    if (key.startsWith("$")) throw invalid(place, "is not one of $and, $or, $not");
    return compileColumn(key, value, place, context);
  });
  return joinTerms(terms, "AND");
}

function compileColumn(name: string, value: unknown, place: string, context: Context): string {
  const comparisons = isObject(value) ? Object.entries(value) : [["=", value] as const];
  if (comparisons.length === 0) throw invalid(place, "has no comparison");
  const found = findColumn(context.schema, name);
  if (!found) context.missing.add(name);
  // A column that is missing is compared all the same, so that mistakes show in every table.
  const column = found ?? { name, declaredType: "", type: "string", primaryKeyPosition: 0, notNull: false };
  const terms = comparisons.map(([operator, operand]) => {
    countPart(place, context);
    return compileComparison(column, operator, operand, `${place} ${operator}`, context);
  });
  return found ? joinTerms(terms, "AND") : "NULL";
}

function compileComparison(
  column: SourceColumn,
  operator: string,
  operand: unknown,
  place: string,
  context: Context,
): string {
  switch (operator) {
    case "=":
      return equal(column, operand, place, context);
    case "!=":
      return `NOT (${equal(column, operand, place, context)})`;
    case "in":
    case "not_in": {
      if (!Array.isArray(operand)) throw invalid(place, "is not a list of values");
      const members = operand.map((member) => {
        countPart(place, context);
        return equal(column, member, place, context);
      });
      const anyOf = joinTerms(members, "OR");
      return operator === "in" ? anyOf : `NOT (${anyOf})`;
    }
    case "<":
    case "<=":
    case ">":
    case ">=":
      return ordered(column, operator, operand, place, context);
    default:
      throw invalid(place, "is not one of =, !=, <, <=, >, >=, in, not_in");
  }
}

function equal(column: SourceColumn, operand: unknown, place: string, context: Context): string {
  if (operand === null) return `${quoteName(column.name)} IS NULL`;
  const { left, right } = comparable(column, operand, place, context);
  return `${left} = ${right}`;
}

/** SQLite puts numbers before text before blobs: the second comparison leaves out what stands on the far side. */
function ordered(
  column: SourceColumn,
  operator: string,
  operand: unknown,
  place: string,
  context: Context,
): string {
  if (typeof operand !== "number" && typeof operand !== "string")
    throw invalid(place, "takes a number or text");
  const { left, right, isNumber } = comparable(column, operand, place, context);
  const comparison = `${left} ${operator} ${right}`;
  const upwards = operator.startsWith(">");
  if (isNumber) return upwards ? `${comparison} AND ${left} <= ${INFINITY} COLLATE BINARY` : comparison;
  return `${comparison} AND ${left} ${upwards ? "< X''" : ">= ''"} COLLATE BINARY`;
}

/**
 * Both sides of a comparison. `CAST(… AS NUMERIC)` lends its affinity to the column, so that text which reads
 * as a number is compared as one; the plus takes a column's own affinity away, so that text stays text.
 * COLLATE overrules a collation which only the sensor's program may know.
 */
function comparable(
  column: SourceColumn,
  operand: unknown,
  place: string,
  context: Context,
): { left: string; right: string; isNumber: boolean } {
  const value = toOperand(operand, column, place);
  const parameter = context.parameters.bind(value);
  return typeof value === "string"
    ? { left: `+${quoteName(column.name)}`, right: `${parameter} COLLATE BINARY`, isNumber: false }
    : {
        left: quoteName(column.name),
        right: `CAST(${parameter} AS NUMERIC) COLLATE BINARY`,
        isNumber: true,
      };
}

function toOperand(operand: unknown, column: SourceColumn, place: string): bigint | number | string {
  if (!isScalar(operand)) throw invalid(place, `takes text, a number, true, false or null`);
  if (typeof operand !== "string") {
    if (Number.isNaN(operand)) throw invalid(place, "is NaN, which equals nothing");
    return Number(operand);
  }
  const isNumeric = column.type === "int64" || column.type === "double" || column.type === "boolean";
  return isNumeric ? (readNumber(operand) ?? operand) : operand;
}

/** Text that SQLite's numeric affinity takes for a number: https://sqlite.org/datatype3.html#type_affinity */
function readNumber(text: string): bigint | number | null {
  const number = /^[ \t\n\v\f\r]*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)[ \t\n\v\f\r]*$/.exec(text)?.[1];
  if (number === undefined) return null;
  if (!/^[+-]?\d+$/.test(number)) return Number(number);
  const integer = BigInt(number.replace("+", ""));
  return BigInt.asIntN(64, integer) === integer ? integer : Number(number);
}

function countPart(place: string, context: Context): void {
  context.parts += 1;
  if (context.parts > MAX_PARTS) throw invalid(place, `makes it longer than ${MAX_PARTS} values and columns`);
}

function isScalar(value: unknown): value is Exclude<Scalar, null> {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(place: string, problem: string): UploaderError {
  return new UploaderError({
    code: "CONFIG_INVALID",
    message: `The filter cannot be used: ${place || "it"} ${problem}.`,
    hint: 'Write it like {"temperature": {">": 80}, "location": "Berlin", "status_code": {"in": [1, 2]}}.',
  });
}
