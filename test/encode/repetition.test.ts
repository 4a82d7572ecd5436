import { expect, test } from "vitest";
import type { ColumnType, SqlValue } from "../../src/core/types.ts";
import { createColumnBuilder } from "../../src/encode/column-builders.ts";
import { repeats } from "../../src/encode/repetition.ts";

function column(type: ColumnType, values: readonly SqlValue[]) {
  const builder = createColumnBuilder(type, values.length);
  for (const value of values) {
    if (value === null) builder.appendNull();
    else builder.append(value);
  }
  return builder.finish();
}

const numbers = Array.from({ length: 100 }, (_, index) => index);

test.each<[string, ColumnType, SqlValue[], boolean]>([
  ["readings that are rounded", "double", numbers.map((n) => (n % 20) / 4), true],
  ["readings with all their digits", "double", numbers.map((n) => n * Math.PI), false],
  ["a counter", "int64", numbers.map(BigInt), false],
  ["a flag", "int64", numbers.map((n) => BigInt(n % 2)), true],
  ["names of sensors", "string", numbers.map((n) => `sensor ${n % 10}`), true],
  ["texts that differ", "string", numbers.map((n) => `reading ${n}`), false],
  ["blobs that repeat", "binary", numbers.map((n) => Buffer.from([n % 3])), true],
  ["one instant", "timestamp", numbers.map(() => 1n), true],
  ["nothing but nulls", "string", numbers.map(() => null), true],
  ["few values among nulls, all different", "double", numbers.map((n) => (n % 10 ? null : n / 3)), false],
  ["just over the share that is worth it", "int64", numbers.map((n) => BigInt(n % 61)), false],
  ["just at the share that is worth it", "int64", numbers.map((n) => BigInt(n % 60)), true],
])("%s", (_, type, values, expected) => {
  expect(repeats(column(type, values), values.length)).toBe(expected);
});
