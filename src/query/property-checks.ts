import { UploaderError } from "../core/errors.ts";
import type { SqlValue } from "../core/types.ts";
import { timestampMicros } from "../sqlite/timestamp-micros.ts";
import { PROPERTY_TYPES } from "./casts.ts";
import { type Parameters, toSqlValue } from "./parameters.ts";
import type { SchemaField } from "./table-schema.ts";

/** One way for a row to fail. */
export interface Check {
  /** SQL that is true of a row which fails. */
  readonly fails: string;
  /** Follows the column's name: `is above the maximum of 60`. */
  readonly error: string;
}

/** SQL for a field's value, as stored and as its type has it. */
export interface FieldValue {
  readonly stored: string;
  readonly cast: string;
}

/**
 * The checks of one column, each with JSON Schema's meaning: a keyword looks only at values of its kind, so
 * `minimum` at numbers (and times), `pattern` and `maxLength` at text. A null is an absent value, which only
 * `required` refuses.
 *
 * @throws {UploaderError} CONFIG_INVALID where a limit of a timestamp is none
 */
export function checksOf(field: SchemaField, value: FieldValue | null, parameters: Parameters): Check[] {
  const { property } = field;
  if (!value) return field.required ? [{ fails: "1", error: "is required, and the table lacks it" }] : [];
  const checks: Check[] = [];
  const { number, text } = kinds(field, value);
  const limit = (of: number) => parameters.bind(toLimit(field, of));

  if (field.required) checks.push({ fails: `${value.stored} IS NULL`, error: "is required" });
  if (property.type)
    checks.push({
      fails: `${value.cast} IS NULL AND ${value.stored} IS NOT NULL`,
      error: PROPERTY_TYPES[property.type].error,
    });
  if (property.minimum !== undefined && number)
    checks.push({
      fails: `${number} < ${limit(property.minimum)}`,
      error: `is below the minimum of ${property.minimum}`,
    });
  if (property.maximum !== undefined && number)
    checks.push({
      fails: `${number} > ${limit(property.maximum)}`,
      error: `is above the maximum of ${property.maximum}`,
    });
  if (property.enum) checks.push({ fails: notInEnum(field, value, parameters), error: "is not in the enum" });
  if (property.pattern !== undefined && text)
    checks.push({
      fails: `${text} IS NOT NULL AND NOT matches_pattern(${text}, ${parameters.bind(property.pattern)})`,
      error: `does not match the pattern ${property.pattern}`,
    });
  if (property.maxLength !== undefined && text) {
    const most = parameters.bind(property.maxLength);
    // A character takes at least a byte, so few texts need counting.
    checks.push({
      fails: `octet_length(${text}) > ${most} AND character_count(${text}) > ${most}`,
      error: `is longer than ${property.maxLength} characters`,
    });
  }
  return checks;
}

/** SQL for the value where it is a number, and where it is text; null where the type rules that out. */
function kinds(
  { property }: SchemaField,
  { stored, cast }: FieldValue,
): { number: string | null; text: string | null } {
  const storedNumber = `CASE WHEN typeof(${stored}) IN ('integer', 'real') THEN ${stored} END`;
  const storedText = `CASE WHEN typeof(${stored}) = 'text' THEN ${stored} END`;
  switch (property.type) {
    case undefined:
      return { number: storedNumber, text: storedText };
    case "string":
      return { number: null, text: cast };
    case "boolean":
      return { number: null, text: null };
    default:
      return { number: cast, text: storedText };
  }
}

/** Members are compared with values of their own kind: 1 is not '1', and a member that the type rules out is in vain. */
function notInEnum(field: SchemaField, value: FieldValue, parameters: Parameters): string {
  const { number, text } = kinds(field, value);
  const { type } = field.property;
  const members = field.property.enum ?? [];
  const among = (kind: string | null, values: readonly SqlValue[]) =>
    kind && values.length > 0
      ? [`${kind} IN (${values.map((member) => parameters.bind(member)).join(", ")})`]
      : [];
  const isText = (member: unknown): member is string => typeof member === "string";
  const numbers = members.filter((member) => member !== null && !isText(member)).map(toSqlValue);

  let found: string[];
  if (type === "timestamp")
    found = among(
      value.cast,
      members.map((member) => timestampMicros(toSqlValue(member))),
    );
  else if (type === "boolean") found = among(value.cast, numbers);
  else found = [...among(number, numbers), ...among(text, members.filter(isText))];
  const present = `${type ? value.cast : value.stored} IS NOT NULL`;
  return found.length > 0 ? `${present} AND (${found.join(" OR ")}) IS NOT TRUE` : present;
}

function toLimit(field: SchemaField, limit: number): SqlValue {
  if (field.property.type !== "timestamp") return limit;
  const micros = timestampMicros(limit);
  if (micros === null)
    throw new UploaderError({
      code: "CONFIG_INVALID",
      message: `The schema cannot be used: the limit ${limit} of ${field.name} is not a point in time.`,
      hint: "Write it as seconds, milliseconds, microseconds or nanoseconds since 1970.",
    });
  return micros;
}
