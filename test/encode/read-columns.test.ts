import { describe, expect, it } from "vitest";
import type { ColumnType, QueryColumn, SqlValue } from "../../src/core/types.ts";
import { type ReadColumnsOptions, readColumns, resultColumns } from "../../src/encode/read-columns.ts";
import { batchContents } from "../support/batch-contents.ts";

const ROWID: QueryColumn = { name: "_rowid", type: "int64", source: null };

describe("readColumns", () => {
  it.each<[ColumnType, readonly SqlValue[], readonly unknown[], readonly (string | null)[]]>([
    ["int64", [5n, 1.5, null, "x"], [5n, null, null, null], [null, "1.5", null, '"x"']],
    [
      "double",
      [1.5, 5n, 2n ** 53n, 2n ** 53n + 1n],
      [1.5, 5, 2 ** 53, null],
      [null, null, null, "9007199254740993"],
    ],
    ["double", [-(2n ** 53n), -(2n ** 53n) - 1n], [-(2 ** 53), null], [null, "-9007199254740993"]],
    ["double", [Infinity, -0, "1.5"], [Infinity, -0, null], [null, null, '"1.5"']],
    [
      "string",
      ["", "é😀\0", 5n, Buffer.from("a")],
      ["", "é😀\0", null, null],
      [null, null, "5", '{"blob":"61"}'],
    ],
    ["binary", [Buffer.from("a"), Buffer.alloc(0), "a"], ["61", "", null], [null, null, '"a"']],
    ["boolean", [1n, 0n, 2n, -1n, 1], [true, false, null, null, null], [null, null, "2", "-1", "1.0"]],
  ])("puts what does not fit a column of %s into _rescued", (type, values, expected, rescued) => {
    const result = read(
      [{ name: "x_2", type, source: "x" }, ROWID],
      values.map((value, row) => [value, BigInt(row)]),
    );
    const [x, rowids, rescuedColumn] = batchContents(result.batch);
    expect(x).toEqual(expected);
    expect(rowids).toEqual(values.map((_, row) => BigInt(row)));
    expect(rescuedColumn).toEqual(rescued.map((json) => json && `{"x":${json}}`));
  });

  it("collects all that does not fit of one row", () => {
    const columns: QueryColumn[] = [
      { name: "a", type: "int64", source: "a" },
      { name: "b", type: "double", source: "b" },
      ROWID,
    ];
    const { batch } = read(columns, [
      ["x", "y", 1n],
      [1n, 1, 2n],
    ]);
    expect(batchContents(batch)[3]).toEqual(['{"a":"x","b":"y"}', null]);
  });

  it("does not rescue what the query has computed", () => {
    const { batch } = read([{ name: "_errors", type: "int64", source: null }, ROWID], [["x", 1n]]);
    expect(batchContents(batch)).toEqual([[null], [1n], [null]]);
  });

  it("reads suspicious text again, and keeps the bytes of text that is not valid", () => {
    const asked: unknown[] = [];
    const { batch } = read(
      [{ name: "x_2", type: "string", source: "x" }, ROWID],
      [
        ["fine", 7n],
        ["valid?", 8n],
        ["broken?", 9n],
      ],
      {
        mayBeInvalid: (text) => text.endsWith("?"),
        readInvalidText: (rowid, column) => {
          asked.push([rowid, column]);
          return rowid === 9n ? Buffer.from("ff", "hex") : null;
        },
      },
    );
    expect(asked).toEqual([
      [8n, "x"],
      [9n, "x"],
    ]);
    expect(batchContents(batch)).toEqual([
      ["fine", "valid?", null],
      [7n, 8n, 9n],
      [null, null, '{"x":{"text":"ff"}}'],
    ]);
  });

  it("leaves a result of groups without _rescued and without an end before its end", () => {
    const columns: QueryColumn[] = [{ name: "reading_count", type: "int64", source: null }];
    const result = read(columns, [[1n], [2n], [3n]], { rowwise: false, maxBytes: 1 });
    expect(batchContents(result.batch)).toEqual([[1n, 2n, 3n]]);
    expect(result).toMatchObject({ lastRowid: null, complete: true });
    expect(resultColumns(columns, false)).toEqual(columns);
  });

  it("ends with the row that fills its bytes, and says which one that is", () => {
    const rows: SqlValue[][] = Array.from({ length: 10 }, (_, row) => ["x".repeat(100), BigInt(row + 1)]);
    const columns: QueryColumn[] = [{ name: "x", type: "string", source: "x" }, ROWID];
    const result = read(columns, rows, { maxBytes: 300 });
    expect(result).toMatchObject({ lastRowid: 3n, complete: false });
    expect(batchContents(result.batch)[1]).toEqual([1n, 2n, 3n]);
    expect(read(columns, rows, { maxBytes: 1 }).batch.rows).toBe(1);
  });

  it("counts what is rescued among the bytes of a read", () => {
    const rows: SqlValue[][] = Array.from({ length: 10 }, (_, row) => [Buffer.alloc(100), BigInt(row + 1)]);
    const columns: QueryColumn[] = [{ name: "x", type: "int64", source: "x" }, ROWID];
    expect(read(columns, rows, { maxBytes: 500 })).toMatchObject({ lastRowid: 3n, complete: false });
  });

  it("takes no more rows from SQLite than it keeps", () => {
    let taken = 0;
    function* rows(): Generator<SqlValue[]> {
      for (;;) yield ["x".repeat(100), BigInt(++taken)];
    }
    const columns: QueryColumn[] = [{ name: "x", type: "string", source: "x" }, ROWID];
    expect(readColumns(rows(), { ...OPTIONS, columns, maxBytes: 450 }).batch.rows).toBe(taken);
  });

  it("counts rows past the edges of its bitmaps", () => {
    const values = Array.from({ length: 100 }, (_, row) => (row % 3 === 0 ? null : BigInt(row % 2)));
    const { batch } = read(
      [{ name: "x", type: "boolean", source: "x" }, ROWID],
      values.map((value, row) => [value, BigInt(row)]),
    );
    expect(batchContents(batch)[0]).toEqual(values.map((value) => (value === null ? null : value === 1n)));
    expect(batch.columns[0]?.nullCount).toBe(34);
  });

  it("gives batches without rows", () => {
    const result = read([{ name: "x", type: "string", source: "x" }, ROWID], []);
    expect(result).toMatchObject({ batch: { rows: 0 }, lastRowid: null, complete: true });
    expect(batchContents(result.batch)).toEqual([[], [], []]);
  });
});

const OPTIONS: Omit<ReadColumnsOptions, "columns"> = {
  rowwise: true,
  maxRows: 1000,
  maxBytes: 2 ** 30,
  mayBeInvalid: () => false,
  readInvalidText: () => {
    throw new Error("no text was suspicious");
  },
};

function read(
  columns: readonly QueryColumn[],
  rows: readonly SqlValue[][],
  options: Partial<ReadColumnsOptions> = {},
) {
  return readColumns(rows, { ...OPTIONS, columns, ...options });
}
