import { expect, test } from "vitest";
import type { ColumnType, SqlValue } from "../../src/core/types.ts";
import { createColumnBuilder } from "../../src/encode/column-builders.ts";
import { type Repetition, ROWS_THAT_SHOW, repetitionOf } from "../../src/encode/repetition.ts";

function part(type: ColumnType, values: readonly SqlValue[]) {
  const builder = createColumnBuilder(type, values.length);
  for (const value of values) {
    if (value === null) builder.appendNull();
    else builder.append(value);
  }
  return { column: builder.finish(), rows: values.length };
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index);
const numbers = upTo(100);
const many = upTo(ROWS_THAT_SHOW);

test.each<[string, ColumnType, SqlValue[], Repetition]>([
  ["readings that are rounded", "double", numbers.map((n) => (n % 20) / 4), "repeats"],
  ["readings with all their digits", "double", numbers.map((n) => n * Math.PI), "differs"],
  ["a counter", "int64", numbers.map(BigInt), "differs"],
  ["a flag", "int64", numbers.map((n) => BigInt(n % 2)), "repeats"],
  ["names of sensors", "string", numbers.map((n) => `sensor ${n % 10}`), "repeats"],
  ["texts that differ", "string", numbers.map((n) => `reading ${n}`), "differs"],
  ["blobs that repeat", "binary", numbers.map((n) => Buffer.from([n % 3])), "repeats"],
  ["one instant", "timestamp", numbers.map(() => 1n), "repeats"],
  ["nothing but nulls", "string", numbers.map(() => null), "unknown"],
  ["no rows", "string", [], "unknown"],
  ["one text", "string", ["sensor 1"], "differs"],
  ["one number among nulls", "double", numbers.map((n) => (n === 7 ? 0.5 : null)), "differs"],
  ["the same text twice", "string", ["sensor 1", "sensor 1"], "repeats"],
  ["two texts", "string", ["sensor 1", "sensor 2"], "differs"],
  ["few values among nulls, all different", "double", numbers.map((n) => (n % 10 ? null : n / 3)), "differs"],
  ["few values among nulls, all the same", "double", numbers.map((n) => (n % 10 ? null : 0.5)), "repeats"],
  ["just over the share that is worth it", "int64", numbers.map((n) => BigInt(n % 61)), "differs"],
  ["just at the share that is worth it", "int64", numbers.map((n) => BigInt(n % 60)), "repeats"],
])("all of %s", (_, type, values, expected) => {
  expectRepetition(type, values, true, expected);
});

test.each<[string, ColumnType, SqlValue[], Repetition]>([
  ["of 20,000 values", "int64", many.map((n) => BigInt((n * 7_919) % 3_686)), "repeats"],
  ["nearly all different", "int64", many.map((n) => BigInt(n % 3_687)), "differs"],
  ["too few not null", "string", many.map((n) => (n % 17 ? null : "full")), "unknown"],
  ["enough not null", "string", many.map((n) => (n % 16 ? null : "full")), "repeats"],
  ["all nulls", "double", many.map(() => null), "unknown"],
  ["one text", "string", ["sensor 1"], "unknown"],
  ["two texts", "string", ["sensor 1", "sensor 2"], "unknown"],
  ["too few texts, all the same", "string", numbers.map(() => "sensor 1"), "unknown"],
])("the first of more: %s", (_, type, values, expected) => {
  expectRepetition(type, values, false, expected);
});

function expectRepetition(type: ColumnType, values: SqlValue[], areAll: boolean, expected: Repetition): void {
  expect(repetitionOf([part(type, values)], areAll)).toBe(expected);
  // However the rows came.
  const cut = Math.floor(values.length / 3);
  const parts = [values.slice(0, cut), values.slice(cut, cut + 1), values.slice(cut + 1)];
  expect(
    repetitionOf(
      parts.map((some) => part(type, some)),
      areAll,
    ),
  ).toBe(expected);
}
