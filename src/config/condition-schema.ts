import type { Condition } from "../core/types.ts";
import { describeValue, type Report } from "./problems.ts";
import { didYouMean } from "./suggestion.ts";
import { isFiniteNumber, isMapping, isScalar } from "./value-shapes.ts";

const EQUALITY_OPERATORS = ["=", "!="];
const ORDER_OPERATORS = ["<", "<=", ">", ">="];
const LIST_OPERATORS = ["in", "not_in"];
const OPERATORS = [...EQUALITY_OPERATORS, ...ORDER_OPERATORS, ...LIST_OPERATORS];
const COMBINATORS = ["$or", "$and", "$not"];

/** How people who know another language write them. */
const OPERATOR_SYNONYMS: Readonly<Record<string, string>> = {
  "==": "=",
  eq: "=",
  "<>": "!=",
  ne: "!=",
  lt: "<",
  lte: "<=",
  "=<": "<=",
  gt: ">",
  gte: ">=",
  "=>": ">=",
  nin: "not_in",
  "not in": "not_in",
};

/** SQLite parses expressions up to a depth of 1000 and binds up to 32,766 values. */
const MAX_DEPTH = 32;
const MAX_LIST_ITEMS = 1000;

/**
 * Checks that a value is a condition, as `Condition` in core/types.ts describes it; what its columns are is
 * for the table to say. Each fault is reported with its path within the condition.
 *
 * @returns the condition, or null where something was reported
 */
export function parseCondition(value: unknown, report: Report): Condition | null {
  let faults = 0;
  checkCondition(value, [], (path, message) => {
    faults += 1;
    report(path, message);
  });
  return faults === 0 ? (value as Condition) : null;
}

function checkCondition(value: unknown, path: readonly PropertyKey[], report: Report): void {
  if (!isMapping(value)) {
    report(path, `must be a mapping of columns to what must hold for them, not ${describeValue(value)}`);
    return;
  }
  if (Object.keys(value).length === 0) report(path, "is empty; name at least one column");
  if (path.length > MAX_DEPTH) {
    report(path, `is nested deeper than ${MAX_DEPTH} levels`);
    return;
  }
  for (const [key, operand] of Object.entries(value)) {
    const inner = [...path, key];
    if (key === "$not") checkCondition(operand, inner, report);
    else if (key === "$or" || key === "$and") checkAlternatives(operand, inner, report);
    else if (key.startsWith("$"))
      report(inner, `is not one of ${COMBINATORS.join(", ")}${didYouMean(key, COMBINATORS)}`);
    else if (key === "") report(inner, "a column must have a name");
    else checkColumn(operand, inner, report);
  }
}

function checkAlternatives(value: unknown, path: readonly PropertyKey[], report: Report): void {
  if (!Array.isArray(value) || value.length === 0) {
    report(path, `must be a list of conditions, not ${describeEmpty(value)}`);
    return;
  }
  for (const [index, condition] of value.entries()) checkCondition(condition, [...path, index], report);
}

function checkColumn(value: unknown, path: readonly PropertyKey[], report: Report): void {
  if (isScalar(value)) return;
  if (!isMapping(value) || Object.keys(value).length === 0) {
    const remedy = Array.isArray(value) ? "; for a list of values write in: [...]" : "";
    report(path, `must be a value or a mapping of comparisons, not ${describeEmpty(value)}${remedy}`);
    return;
  }
  for (const [operator, operand] of Object.entries(value))
    checkComparison(operator, operand, [...path, operator], report);
}

function checkComparison(
  operator: string,
  operand: unknown,
  path: readonly PropertyKey[],
  report: Report,
): void {
  if (EQUALITY_OPERATORS.includes(operator)) {
    if (!isScalar(operand))
      report(path, `must be a text, a number, true, false or null, not ${describeValue(operand)}`);
  } else if (ORDER_OPERATORS.includes(operator)) {
    if (typeof operand !== "string" && !isFiniteNumber(operand))
      report(path, `must be a number or a text, not ${describeValue(operand)}`);
  } else if (LIST_OPERATORS.includes(operator)) {
    checkList(operand, path, report);
  } else {
    const synonym = Object.hasOwn(OPERATOR_SYNONYMS, operator) ? OPERATOR_SYNONYMS[operator] : undefined;
    const suggestion = synonym ? `; did you mean ${synonym}?` : didYouMean(operator, OPERATORS);
    report(path, `is not one of the comparisons ${OPERATORS.join(" ")}${suggestion}`);
  }
}

function checkList(operand: unknown, path: readonly PropertyKey[], report: Report): void {
  if (!Array.isArray(operand) || operand.length === 0) {
    report(path, `must be a list of values, not ${describeEmpty(operand)}`);
    return;
  }
  if (operand.length > MAX_LIST_ITEMS)
    report(path, `has ${operand.length} values; the most is ${MAX_LIST_ITEMS}`);
  for (const [index, item] of operand.entries())
    if (!isScalar(item))
      report([...path, index], `must be a text, a number, true, false or null, not ${describeValue(item)}`);
}

function describeEmpty(value: unknown): string {
  if (Array.isArray(value) && value.length === 0) return "an empty list";
  if (isMapping(value) && Object.keys(value).length === 0) return "an empty mapping";
  return describeValue(value);
}
