import { expect, test } from "vitest";
import type { ColumnType, SqlValue } from "../../src/core/types.ts";
import { createColumnBuilder } from "../../src/encode/column-builders.ts";
import { chooseEncodings } from "../../src/encode/encodings.ts";

const rows = Array.from({ length: 100 }, (_, index) => index);

/** What a column of each type is encoded with: its values repeat, differ, or are all null. */
test.each<[ColumnType, "repeats" | "differs" | "nulls", { dictionary: boolean; statistics: boolean }]>([
  ["string", "repeats", { dictionary: true, statistics: false }],
  ["string", "differs", { dictionary: false, statistics: true }],
  ["string", "nulls", { dictionary: true, statistics: true }],
  ["binary", "repeats", { dictionary: true, statistics: true }],
  ["binary", "differs", { dictionary: false, statistics: true }],
  ["int64", "repeats", { dictionary: true, statistics: true }],
  ["int64", "differs", { dictionary: false, statistics: true }],
  ["int64", "nulls", { dictionary: true, statistics: true }],
  ["timestamp", "repeats", { dictionary: true, statistics: true }],
  ["timestamp", "differs", { dictionary: false, statistics: true }],
  ["double", "repeats", { dictionary: true, statistics: true }],
  ["double", "differs", { dictionary: false, statistics: true }],
  ["boolean", "repeats", { dictionary: false, statistics: true }],
  ["boolean", "nulls", { dictionary: false, statistics: true }],
])("%s that %s", (type, what, expected) => {
  const builder = createColumnBuilder(type, rows.length);
  for (const row of rows) {
    if (what === "nulls") builder.appendNull();
    else builder.append(sample(type, what === "repeats" ? row % 2 : row));
  }
  const batch = { rows: rows.length, columns: [builder.finish()] };
  expect(chooseEncodings([{ name: "a", type }], [batch], true)).toEqual([{ name: "a", ...expected }]);
});

function sample(type: ColumnType, number: number): Exclude<SqlValue, null> {
  if (type === "double") return number / 3;
  if (type === "string") return `text ${number}`;
  return type === "binary" ? Buffer.from([number]) : BigInt(number);
}
