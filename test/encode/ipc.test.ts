import { tableFromIPC } from "apache-arrow";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { ColumnType, SqlValue } from "../../src/core/types.ts";
import type { ColumnBatch } from "../../src/encode/column-batch.ts";
import { createColumnBuilder } from "../../src/encode/column-builders.ts";
import { createIpcEncoder } from "../../src/encode/ipc.ts";

/** As Arrow names them. */
const TYPES: Readonly<Record<ColumnType, string>> = {
  int64: "Int64",
  double: "Float64",
  string: "Utf8",
  boolean: "Bool",
  binary: "Binary",
  timestamp: "Timestamp<MICROSECOND, UTC>",
};

const VALUES: Readonly<Record<ColumnType, fc.Arbitrary<SqlValue>>> = {
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  double: fc.double(),
  string: fc.string({ unit: "binary" }).map((text) => text.toWellFormed()),
  boolean: fc.constantFrom(0n, 1n),
  binary: fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  timestamp: fc.bigInt({ min: -(2n ** 50n), max: 2n ** 50n }),
};

interface Column {
  readonly type: ColumnType;
  readonly values: readonly SqlValue[];
}

/** Batches of the same columns, of different lengths. */
const batchesOfColumns = fc
  .tuple(
    fc.array(fc.constantFrom(...(Object.keys(TYPES) as ColumnType[])), { minLength: 1, maxLength: 8 }),
    fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 3 }),
  )
  .chain(([types, lengths]) =>
    fc.tuple(
      ...lengths.map((length) =>
        fc.tuple(
          ...types.map((type) =>
            fc
              .array(fc.option(VALUES[type], { freq: 4 }), { minLength: length, maxLength: length })
              .map((values): Column => ({ type, values })),
          ),
        ),
      ),
    ),
  );

function build(columns: readonly Column[]): ColumnBatch {
  const rows = columns[0]?.values.length ?? 0;
  return {
    rows,
    columns: columns.map(({ type, values }) => {
      const builder = createColumnBuilder(type, rows);
      for (const value of values) {
        if (value === null) builder.appendNull();
        else expect(builder.append(value)).toBe(true);
      }
      return builder.finish();
    }),
  };
}

/** What Arrow gives for a value that was stored. */
function expected({ type, values }: Column): unknown[] {
  if (type === "boolean") return values.map((value) => (value === null ? null : value === 1n));
  if (type === "binary")
    return values.map((value) => (value === null ? null : new Uint8Array(value as Buffer)));
  // Arrow's own reader gives milliseconds, cut.
  if (type === "timestamp") return values.map((value) => (value === null ? null : Number(value) / 1000));
  return [...values];
}

test("Arrow's own library reads the same schema and the same values, batch after batch", () => {
  fc.assert(
    fc.property(batchesOfColumns, (batches) => {
      const specs = (batches[0] ?? []).map(({ type }, index) => ({ name: `Spalte ${index} [°C]`, type }));
      const encoder = createIpcEncoder(specs);
      for (const columns of batches) {
        const table = tableFromIPC(encoder.encode(build(columns)).slice());
        expect(table.schema.fields.map(({ name, nullable, type }) => [name, nullable, `${type}`])).toEqual(
          specs.map(({ name, type }) => [name, true, TYPES[type]]),
        );
        expect(table.numRows).toBe(columns[0]?.values.length);
        for (const [index, column] of columns.entries()) {
          const read = [...(table.getChildAt(index) ?? [])];
          expect(read).toEqual(expected(column));
        }
      }
    }),
  );
});
