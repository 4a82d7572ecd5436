import fc from "fast-check";
import { expect, it } from "vitest";
import {
  type ColumnType,
  PIPELINE_TYPES,
  type QuerySettings,
  type RouteQuery,
} from "../../src/core/types.ts";
import { viewColumnarBlob } from "../../src/encode/columnar-blob.ts";
import { readColumnar } from "../../src/encode/read-columnar.ts";
import { QUERIES } from "../../src/query/query.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { anyValue, createTable, openMemory, SETTINGS, type Stored } from "../query/tables.ts";
import { readBothWays } from "./both-ways.ts";
import { loadNative, nativeSuite } from "./native-suite.ts";

const ENCODINGS = ["UTF-8", "UTF-16le", "UTF-16be"] as const;

const DECLARATIONS = {
  sensor_id: "TEXT",
  ts: "DATETIME",
  value: "REAL",
  count: "INTEGER",
  flag: "BOOLEAN",
  image: "BLOB",
  amount: "NUMERIC",
  anything: "",
};

const SETTINGS_OF_TABLE: QuerySettings = {
  emergency: { filter: { flag: 1 } },
  schematized: { schemas: {}, enrich: {} },
  aggregated: { windowSeconds: 60, groupBy: ["sensor_id", "anything"], metrics: null },
};

const BYTES_OF_BROKEN_TEXT = [
  0x00, 0x20, 0x3d, 0x61, 0x80, 0xbf, 0xc3, 0xd8, 0xdc, 0xdf, 0xe0, 0xed, 0xf0, 0xf4, 0xff,
];
const value: fc.Arbitrary<Stored> = fc.oneof(
  { weight: 5, arbitrary: anyValue },
  {
    weight: 1,
    arbitrary: fc
      .array(fc.constantFrom(...BYTES_OF_BROKEN_TEXT), { maxLength: 12 })
      .map((bytes) => ({ bytes: Buffer.from(bytes) })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Stored[]>(0n, 1n, 2n, "\ufffd", "😀", "\ufeffx", "é".repeat(300), ""),
  },
);

nativeSuite("columnar", () => {
  it("makes of any values of any pipeline type what readColumns makes of them, byte for byte", () => {
    const rows = fc.array(fc.tuple(...Object.keys(DECLARATIONS).map(() => value)), { maxLength: 40 });
    const limit = fc.oneof(fc.constant(2 ** 30), fc.integer({ min: 1, max: 6000 }));
    fc.assert(
      fc.property(fc.constantFrom(...ENCODINGS), rows, limit, (encoding, stored, maxBytes) => {
        const { db, schema } = openTable(DECLARATIONS, stored, encoding);
        for (const type of PIPELINE_TYPES)
          for (const route of QUERIES[type](schema, SETTINGS_OF_TABLE).routes) {
            const { native, typescript } = readBothWays(db, schema, route, { maxBytes });
            expect(native, type).toEqual(typescript);
          }
        db.close();
      }),
      { numRuns: 300 },
    );
  });

  it("ends where readColumns does, whatever is rescued on the way", () => {
    const rows = Array.from({ length: 200 }, (_, row): Stored[] => [
      row % 3 === 0 ? "a\n".repeat(row) : row / 7,
      row % 5 === 0 ? { bytes: Buffer.alloc(row, 0xff) } : "text",
      row % 2 === 0 ? null : 1n,
      row % 7 === 0 ? Buffer.alloc(row) : "",
    ]);
    const { db, schema } = openTable({ a: "REAL", b: "TEXT", c: "BOOLEAN", d: "TEXT" }, rows);
    const ends = new Set<number | undefined>();
    for (let maxBytes = 1; maxBytes < 40_000; maxBytes += 97) {
      const { native, typescript } = readBothWays(db, schema, rawRoute(schema), { maxBytes });
      expect(native).toEqual(typescript);
      ends.add(native?.rows);
    }
    expect(ends.size).toBeGreaterThan(100);
  });

  it("gives no rows of an empty range, and those of one within", () => {
    const { db, schema } = openTable({ a: "TEXT" }, [["one"], ["two"], ["three"]]);
    const nothing = readBothWays(db, schema, rawRoute(schema), { range: { first: 10n, last: 20n } });
    expect(nothing.native).toMatchObject({ rows: 0, lastRowid: null, complete: true });
    expect(nothing.native).toEqual(nothing.typescript);
    const some = readBothWays(db, schema, rawRoute(schema), { range: { first: 2n, last: 2n } });
    expect(some.native).toMatchObject({ rows: 1, lastRowid: 2n });
    expect(some.native).toEqual(some.typescript);
  });

  it("reads tables as wide as SQLite lets them be", () => {
    const names = Array.from({ length: 1990 }, (_, index) => `column_${index}`);
    const types = ["TEXT", "REAL", "BOOLEAN", "BLOB", "INTEGER"];
    const declarations = Object.fromEntries(names.map((name, index) => [name, types[index % 5] as string]));
    const row = names.map((_, index) => [null, BigInt(index), index / 3, "x"][index % 4] as Stored);
    const { db, schema } = openTable(declarations, [row, row.toReversed(), row]);
    const { native, typescript } = readBothWays(db, schema, rawRoute(schema));
    expect(native?.columns).toHaveLength(1993);
    expect(native).toEqual(typescript);
  });

  it("takes rows in the order of the query", () => {
    const { db, schema } = openTable(
      { a: "INTEGER" },
      [5n, 3n, 9n, 1n].map((a) => [a]),
    );
    const query = (order: string) => ({
      ...rawRoute(schema),
      sql: `SELECT id, a, id AS "_rowid" FROM readings WHERE id BETWEEN @first AND @last ORDER BY ${order}`,
    });
    for (const order of ["id", "id DESC", "a", "a DESC", "a % 4, id DESC"]) {
      const { native, typescript } = readBothWays(db, schema, query(order));
      expect(native).toEqual(typescript);
    }
  });

  it("takes no more rows from SQLite than it keeps", () => {
    const { db } = openTable(
      { a: "TEXT" },
      Array.from({ length: 100 }, () => ["x".repeat(100)]),
    );
    let taken = 0n;
    db.function("count_row", (text) => {
      taken++;
      return text;
    });
    const sql = 'SELECT count_row(a), id AS "_rowid" FROM readings ORDER BY id';
    const columns = [column("a", "string", "a"), column("_rowid", "int64")];
    const result = readColumnar(db, { sql, parameters: {} }, options({ columns, maxBytes: 450 }));
    expect(result).toMatchObject({ batch: { rows: 4 }, lastRowid: 4n, complete: false });
    expect(taken).toBe(4n);
  });

  it("leaves text that JavaScript has to mend to readColumns", () => {
    const { db, schema } = openTable({ a: "TEXT" }, [["fine"], [{ bytes: Buffer.from([0xff]) }]]);
    const route = { ...rawRoute(schema), sql: 'SELECT id, a, id AS "_rowid" FROM readings' };
    const computed = { ...route, columns: route.columns.map((each) => ({ ...each, source: null })) };
    expect(readBothWays(db, schema, computed).native).toBeNull();
    expect(readBothWays(db, schema, { ...computed, rowwise: false }).native).toBeNull();
    expect(readBothWays(db, schema, route).native).not.toBeNull();
  });

  it("drops what does not fit a column that is not of the source", () => {
    const rows = [["x", 1n] as const, [{ bytes: Buffer.from([0xff]) }, "y"] as const];
    const { db, schema } = openTable({ a: "TEXT", b: "TEXT" }, rows);
    const columns = [column("a", "int64"), column("b", "double"), column("_rowid", "int64")];
    const sql = 'SELECT a, b, id AS "_rowid" FROM readings';
    for (const rowwise of [true, false]) {
      const { native, typescript } = readBothWays(db, schema, { sql, columns, parameters: {}, rowwise });
      expect(native).toEqual(typescript);
    }
  });

  it("binds hundreds of parameters, and leaves more to readColumns", () => {
    const { db } = openTable({ a: "TEXT" }, [["x"]]);
    const read = (count: number) => {
      const names = Array.from({ length: count }, (_, index) => `p${index}`);
      const sql = `SELECT ${names.map((name) => `@${name}`).join(" + ")}, id FROM readings`;
      const parameters = Object.fromEntries(names.map((name) => [name, 2n]));
      const columns = [column("sum", "int64"), column("_rowid", "int64")];
      return readColumnar(db, { sql, parameters }, options({ columns }))?.batch.columns[0]?.values[0];
    };
    expect(read(498)).toBe(996n);
    expect(read(499)).toBeUndefined();
  });

  it("leaves a row of more bytes than one may have to readColumns, however few all rows have", () => {
    const long = "x".repeat(100_000);
    const { db, schema } = openTable({ a: "TEXT", b: "REAL" }, [
      ["y", 1n],
      [long, 2n],
      ["z", 3n],
    ]);
    const read = (maxRowBytes: number) => readBothWays(db, schema, rawRoute(schema), { maxRowBytes });
    expect(read(99_999).native).toBeNull();
    expect(read(100_000).native).toEqual(read(100_000).typescript);
  });

  it("takes rows that have more bytes together than one may have", () => {
    const rows = Array.from({ length: 20 }, (_, row): Stored[] => [`${row}`.repeat(30_000)]);
    const { db, schema } = openTable({ a: "TEXT" }, rows);
    const { native, typescript } = readBothWays(db, schema, rawRoute(schema), { maxRowBytes: 70_000 });
    expect(native).toMatchObject({ rows: 20, complete: true });
    expect(native).toEqual(typescript);
  });

  it("leaves a row to readColumns that may be too large in `_rescued`", () => {
    const control = "\u0001".repeat(70_000);
    const { db, schema } = openTable({ a: "REAL", b: "BLOB" }, [[control, null]]);
    const read = (maxRowBytes: number) => readBothWays(db, schema, rawRoute(schema), { maxRowBytes });
    expect(read(420_000).native).toBeNull();
    const { native, typescript } = read(420_032);
    expect(native).not.toBeNull();
    expect(native).toEqual(typescript);
  });

  it("leaves what is too large for it to readColumns, in the same transaction", () => {
    const { db } = openTable({ a: "BLOB" }, [["x"]]);
    const sql = "SELECT zeroblob(2000000000), id FROM readings";
    const columns = [column("a", "binary"), column("_rowid", "int64")];
    db.exec("BEGIN");
    expect(readColumnar(db, { sql, parameters: {} }, options({ columns }))).toBeNull();
    expect(db.inTransaction).toBe(true);
  });

  it("throws what SQLite says of a query, and the connection goes on", () => {
    const { db, schema } = openTable({ a: "INTEGER" }, [[-(2n ** 63n)], [1n]]);
    const read = (sql: string) =>
      readColumnar(db, { sql, parameters: {} }, options({ columns: [column("a", "int64")] }));
    expect(() => read("SELECT missing FROM readings")).toThrow("no such column: missing");
    expect(() => read("SELECT abs(a) FROM readings")).toThrow("integer overflow");
    expect(readBothWays(db, schema, rawRoute(schema)).native?.rows).toBe(2);
  });

  it.each<[string, readonly unknown[]]>([
    ["no arguments", []],
    ["no limit", ["SELECT 1", "i"]],
    ["no most bytes of a row", ["SELECT 1", "i", 0]],
    ["a row of no bytes", ["SELECT 1", "i", 0, 0]],
    ["a row of more than 1 GB", ["SELECT 1", "i", 0, 2 ** 30 + 1]],
    ["no query", ["", "i", 0, 1000]],
    ["a query that is no text", [1, "i", 0, 1000]],
    ["no columns", ["BEGIN", "", 0, 1000]],
    ["a query that writes", ["DELETE FROM readings RETURNING id", "i", 0, 1000]],
    ["too few types", ["SELECT 1, 2", "i", 0, 1000]],
    ["too many types", ["SELECT 1", "ii", 0, 1000]],
    ["an unknown type", ["SELECT 1", "z", 0, 1000]],
    ["types that are null", ["SELECT 1", null, 0, 1000]],
    ["a parameter without a value", ["SELECT @a", "i", 0, 1000]],
    ["a value without a name", ["SELECT @a", "i", 0, 1000, "@a"]],
    ["a name that is no text", ["SELECT @a", "i", 0, 1000, 1, 1]],
  ])("refuses %s", (_, given) => {
    const { db } = openTable({ a: "INTEGER" }, [[1n]]);
    const call = db.prepare(`SELECT columnar(${given.map(() => "?").join(", ")})`);
    expect(() => call.get(...given)).toThrow("columnar: the arguments are wrong");
  });

  it("gives each call of a statement a blob of its own", () => {
    const { db } = openTable({ a: "INTEGER" }, [[1n], [2n], [3n]]);
    const call = "columnar('SELECT @a', 'i', 0, 1000, '@a', a)";
    const negative = "columnar('SELECT @a', 'i', 0, 1000, '@a', -a)";
    const rows = db.prepare(`SELECT ${call}, ${negative} FROM readings ORDER BY a DESC`).raw().all();
    const values = (rows as Buffer[][]).map((row) =>
      row.map((blob) => viewColumnarBlob(blob, ["int64"]).columns[0]?.values[0]),
    );
    expect(values).toEqual([
      [3n, -3n],
      [2n, -2n],
      [1n, -1n],
    ]);
  });

  it("is not there for triggers and views", () => {
    const { db } = openTable({ a: "INTEGER" }, [[1n]]);
    db.exec("CREATE VIEW looks_harmless AS SELECT columnar('SELECT 1', 'i', 0, 1000)");
    expect(() => db.prepare("SELECT * FROM looks_harmless").get()).toThrow("unsafe use of columnar()");
  });

  it("views a blob wherever it lies in memory, and refuses one that is none", () => {
    const { db } = openTable({ a: "REAL" }, [[0.1], ["x"], [1e300]]);
    const blob = db
      .prepare("SELECT columnar('SELECT a, id FROM readings', 'DI', 0, 1000)")
      .pluck()
      .get() as Buffer;
    const unaligned = Buffer.concat([Buffer.alloc(3), blob]).subarray(3);
    for (const bytes of [blob, unaligned]) {
      const view = viewColumnarBlob(bytes, ["double", "int64"]);
      expect([...(view.columns[0]?.values ?? [])]).toEqual([0.1, 0, 1e300]);
      expect([...view.misfits()]).toEqual([{ row: 1, column: 0, value: "x" }]);
    }
    expect(viewColumnarBlob(blob, ["double", "int64"]).columns[0]?.values.buffer).toBe(blob.buffer);
    expect(() => viewColumnarBlob(blob, ["double"])).toThrow("another layout");
    expect(() => viewColumnarBlob(Buffer.alloc(64), ["double"])).toThrow("another layout");
  });
});

function openTable(
  declarations: Readonly<Record<string, string>>,
  rows: readonly (readonly Stored[])[],
  encoding: (typeof ENCODINGS)[number] = "UTF-8",
) {
  const db: Connection = openMemory();
  loadNative(db);
  db.pragma(`encoding = '${encoding}'`);
  const timestampColumn = "ts" in declarations ? { timestampColumn: "ts" } : {};
  return { db, schema: createTable(db, declarations, { rows, ...timestampColumn }) };
}

function rawRoute(schema: Parameters<typeof QUERIES.raw>[0]): RouteQuery {
  return QUERIES.raw(schema, SETTINGS).routes[0] as RouteQuery;
}

function column(name: string, type: ColumnType, source: string | null = null) {
  return { name, type, source };
}

function options(given: Pick<Parameters<typeof readColumnar>[2], "columns"> & { maxBytes?: number }) {
  return {
    rowwise: true,
    maxBytes: 2 ** 30,
    readInvalidText: () => {
      throw new Error("all text is valid");
    },
    ...given,
  };
}
