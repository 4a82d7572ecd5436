import fc from "fast-check";
import type { Condition, SourceSchema, SqlValue } from "../../src/core/types.ts";
import { quoteName } from "../../src/sqlite/names.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { anyValue } from "./tables.ts";

/** One column of each kind that SQLite compares in its own way. */
export const CONDITION_COLUMNS = {
  i: "INTEGER",
  r: "REAL",
  t: "TEXT COLLATE NOCASE",
  b: "BLOB",
  o: "BOOLEAN",
  d: "DATETIME",
  n: "",
};

/** What the language of conditions means, written without SQL: true, false, or null for neither. */
export function holds(condition: Condition, row: StoredRow): boolean | null {
  return all(
    Object.entries(condition).map(([key, value]) => {
      if (key === "$not") return not(holds(value as Condition, row));
      if (key === "$and") return all((value as Condition[]).map((part) => holds(part, row)));
      if (key === "$or") return any((value as Condition[]).map((part) => holds(part, row)));
      const cell = row.get(key.toLowerCase()) as StoredCell;
      const comparisons =
        typeof value === "object" && value !== null ? Object.entries(value) : [["=", value]];
      return all(comparisons.map(([operator, operand]) => compare(cell, operator as string, operand)));
    }),
  );
}

export interface StoredCell {
  readonly value: SqlValue;
  /** The bytes of text, which may not be UTF-8. */
  readonly bytes: Buffer | null;
  readonly isNumericColumn: boolean;
}

export type StoredRow = ReadonlyMap<string, StoredCell>;

/** The rows as SQLite holds them, after affinity, by id; columns by lower-case name. */
export function storedRows(db: Connection, schema: SourceSchema): Map<bigint, StoredRow> {
  const numeric = ["int64", "double", "boolean"];
  const selected = schema.columns.flatMap(({ name }) => [
    quoteName(name),
    `CAST(${quoteName(name)} AS BLOB)`,
  ]);
  const rows = db
    .prepare(`SELECT id, ${selected.join(", ")} FROM ${quoteName(schema.table)}`)
    .raw()
    .all();
  return new Map(
    (rows as SqlValue[][]).map((values) => [
      values[0] as bigint,
      new Map(
        schema.columns.map((column, index) => [
          column.name.toLowerCase(),
          {
            value: values[1 + index * 2] as SqlValue,
            bytes: values[2 + index * 2] as Buffer | null,
            isNumericColumn: numeric.includes(column.type),
          },
        ]),
      ),
    ]),
  );
}

function compare(cell: StoredCell, operator: string, operand: unknown): boolean | null {
  if (operator === "!=") return not(compare(cell, "=", operand));
  if (operator === "not_in") return not(compare(cell, "in", operand));
  if (operator === "in") return any((operand as unknown[]).map((member) => compare(cell, "=", member)));
  if (operand === null) return cell.value === null;
  if (cell.value === null) return null;
  const order = orderOf(cell, operand as string | number | boolean);
  if (order === null) return false;
  if (operator === "=") return order === 0;
  if (operator === "<") return order < 0;
  if (operator === "<=") return order <= 0;
  return operator === ">" ? order > 0 : order >= 0;
}

/** Below, equal or above; null where the two are not of a kind. */
function orderOf(cell: StoredCell, operand: string | number | boolean): number | null {
  const operandNumber =
    typeof operand !== "string" ? Number(operand) : cell.isNumericColumn ? numberIn(operand) : null;
  if (operandNumber === null) {
    if (typeof cell.value !== "string") return null;
    return Buffer.compare(cell.bytes as Buffer, Buffer.from(operand as string));
  }
  // SQLite reads a number up to the first NUL.
  const stored = typeof cell.value === "string" ? numberIn(cell.value.replace(/\0.*/s, "")) : cell.value;
  if (typeof stored !== "bigint" && typeof stored !== "number") return null;
  return stored < operandNumber ? -1 : stored > operandNumber ? 1 : 0;
}

function numberIn(text: string): bigint | number | null {
  if (!/^[ \t\n\v\f\r]*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?[ \t\n\v\f\r]*$/.test(text)) return null;
  const trimmed = text.trim();
  const isInteger = /^[+-]?\d+$/.test(trimmed);
  const integer = isInteger ? BigInt(trimmed.replace("+", "")) : 0n;
  return isInteger && BigInt.asIntN(64, integer) === integer ? integer : Number(trimmed);
}

function not(truth: boolean | null): boolean | null {
  return truth === null ? null : !truth;
}

function all(truths: readonly (boolean | null)[]): boolean | null {
  if (truths.includes(false)) return false;
  return truths.includes(null) ? null : true;
}

function any(truths: readonly (boolean | null)[]): boolean | null {
  return not(all(truths.map(not)));
}

const scalar = fc.oneof(
  fc.integer({ min: -3, max: 100 }),
  fc.double({ noNaN: true }),
  fc.constantFrom(80, 1, 0, 2 ** 53, Infinity, -Infinity, 1e300, 2 ** 63),
  fc.boolean(),
  fc.constantFrom(
    "80",
    " 8e1 ",
    "true",
    "",
    "Berlin",
    "berlin",
    "ERROR",
    "1e400",
    "2026-01-01",
    "9".repeat(25),
    "80\0",
  ),
  fc.string({ unit: "binary", maxLength: 4 }),
);
const ordered = scalar.filter((value) => typeof value !== "boolean");
const comparisons = fc
  .record(
    {
      "=": fc.option(scalar),
      "!=": fc.option(scalar),
      "<": ordered,
      "<=": ordered,
      ">": ordered,
      ">=": ordered,
      in: fc.array(fc.option(scalar), { maxLength: 4 }),
      not_in: fc.array(fc.option(scalar), { maxLength: 4 }),
    },
    { requiredKeys: [] },
  )
  .filter((value) => Object.keys(value).length > 0);
const conditions = fc.letrec<{ condition: Condition; column: Condition }>((tie) => ({
  column: fc
    .tuple(
      fc.constantFrom(...Object.keys(CONDITION_COLUMNS), "T", "R"),
      fc.oneof(fc.option(scalar), comparisons),
    )
    .map(([name, value]) => ({ [name]: value }) as Condition),
  condition: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    tie("column"),
    fc.tuple(tie("column"), tie("column")).map(([one, other]) => ({ ...one, ...other })),
    tie("condition").map((inner) => ({ $not: inner })),
    fc.array(tie("condition"), { minLength: 1, maxLength: 3 }).map((parts) => ({ $or: parts })),
    fc.array(tie("condition"), { minLength: 1, maxLength: 3 }).map((parts) => ({ $and: parts })),
  ),
}));

/** Any condition on those columns. */
export const anyCondition = conditions.condition;

/** A row of those columns. */
export const anyRow = fc.tuple(...Object.keys(CONDITION_COLUMNS).map(() => anyValue));
