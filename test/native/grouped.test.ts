import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { QuerySettings, RouteQuery, RowRange, SourceSchema } from "../../src/core/types.ts";
import { QUERIES } from "../../src/query/query.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import {
  ALL_ROWS,
  anyValue,
  createTable,
  loseCollation,
  openMemory,
  SETTINGS,
  type Stored,
} from "../query/tables.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";
import { readBothWays } from "./both-ways.ts";
import { loadNative, nativeSuite } from "./native-suite.ts";

const DECLARATIONS = {
  time: "DATETIME",
  sensor_id: "",
  location: "TEXT COLLATE NOCASE",
  x: "",
  y: "REAL",
  z: "INTEGER",
  anomaly_flag: "INTEGER",
};

const AGGREGATED: QuerySettings["aggregated"] = {
  windowSeconds: 60,
  groupBy: ["sensor_id", "location"],
  metrics: ["x", "y", "z"],
};

/** A few windows, whose rows meet again, and whatever else there may be. */
const time = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.integer({ min: 0, max: 200 }).map((seconds): Stored => 1_767_225_600n + BigInt(seconds)),
  },
  fc.constantFrom<Stored>(null, "never", "0001-01-01", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59.9Z"),
  anyValue,
);
const name = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom<Stored>("a", "A", "ab", "", "a\0", "b", "ü", "😀", null, 1n, 1, "1", -0.5),
  },
  fc.constantFrom<Stored>(
    Buffer.from("a"),
    Buffer.alloc(0),
    "X'61'",
    "\ufffd",
    2n ** 63n - 1n,
    1e300,
    Infinity,
  ),
  { weight: 1, arbitrary: anyValue },
);
/** Whose sums and squares leave the range of doubles, and come back into it. */
const large = fc.constantFrom<Stored>(
  1.7e308,
  -1.7e308,
  1e200,
  -1e200,
  2n ** 62n,
  5e-324,
  -0,
  0n,
  0.1,
  1e16,
  1,
);
const figure = fc.oneof({ weight: 2, arbitrary: large }, { weight: 1, arbitrary: anyValue });
const row = fc.tuple(
  time,
  name,
  name,
  figure,
  figure,
  figure,
  fc.oneof(fc.constantFrom<Stored>(0n, 1n), anyValue),
);

/**
 * Sums too are equal to the last bit: SQLite's sorter leaves rows with equal keys in their order, also where it puts
 * them into files meanwhile (`vdbesort.c`: of two equal values that of the older file is considered smaller).
 */
nativeSuite("grouped", () => {
  describe("makes what the SQL with GROUP BY does, byte for byte,", () => {
    it.each<[string, Partial<QuerySettings["aggregated"]>, string]>([
      ["by sensor and place", {}, "UTF-8"],
      ["by window alone", { groupBy: [] }, "UTF-8"],
      ["by a tenth of a second", { windowSeconds: 0.1, metrics: [] }, "UTF-8"],
      ["by a week, metrics being groups too", { windowSeconds: 604_800, groupBy: ["x", "y"] }, "UTF-8"],
      ["by sensor and place", {}, "UTF-16le"],
      ["by a number", { groupBy: ["z"] }, "UTF-16be"],
    ])("%s, %o, in %s", (_, given, encoding) => {
      let used = 0;
      fc.assert(
        fc.property(fc.array(row, { maxLength: 40 }), (rows) => {
          const { db, schema } = openTable(DECLARATIONS, rows, encoding);
          const route = routeOf(schema, given);
          if (usesGrouped(db, route)) used++;
          expectSame(db, schema, route);
          db.close();
        }),
        fuzzRuns(300),
      );
      expect(used).toBeGreaterThan(encoding === "UTF-16le" ? 0 : 30);
    });

    it("where thousands of figures of all sizes are added up, in the order of the rows", () => {
      const rows = Array.from({ length: 9_000 }, (_, index): Stored[] => [
        BigInt(index % 2) * 60n,
        "a",
        null,
        (index % 7 === 0 ? 1e15 : 1) / ((index % 97) + 1),
        index % 3 === 0 ? -1e-9 : 0.1,
        BigInt(index) ** 4n,
        0n,
      ]);
      const { db, schema } = openTable(DECLARATIONS, rows);
      expect(usesGrouped(db, routeOf(schema))).toBe(true);
      expectSame(db, schema, routeOf(schema));
    });

    it("where the sorter needs files", () => {
      const rows = Array.from({ length: 450 }, (_, index): Stored[] => [
        ...[
          0n,
          `${"x".repeat(60_000)}${index % 2}`,
          null,
          (-1) ** (index % 5) / 3 ** (index % 50),
          0.1,
          1n,
          0n,
        ],
      ]);
      const { db, schema } = openTable(DECLARATIONS, rows);
      expect(usesGrouped(db, routeOf(schema))).toBe(true);
      expect(expectSame(db, schema, routeOf(schema))).toBe(2);
    });

    it("where every row is a group of its own, and where few are", () => {
      for (const sensors of [5_000, 1]) {
        const rows = Array.from({ length: 5_000 }, (_, index): Stored[] => {
          const sensor = `sensor ${(index * 7919) % sensors}`;
          const place = index % 2 === 0 ? "Berlin" : null;
          return [BigInt(index % 10) * 60n, sensor, place, index / 3, null, 1n, 1n];
        });
        const { db, schema } = openTable(DECLARATIONS, rows);
        expect(usesGrouped(db, routeOf(schema))).toBe(true);
        expect(expectSame(db, schema, routeOf(schema))).toBe(sensors === 1 ? 10 : 5_000);
      }
    });

    it("of no rows, and of one of nulls", () => {
      const { db, schema } = openTable(DECLARATIONS, [[null, null, null, null, null, null, null]]);
      expect(expectSame(db, schema, routeOf(schema), { first: 2n, last: 9n })).toBe(0);
      expect(expectSame(db, schema, routeOf(schema), { first: 1n, last: 9n })).toBe(1);
    });

    it("whatever collation a group has", () => {
      const declarations = { g: "TEXT COLLATE RTRIM", sensor_id: "TEXT COLLATE NOCASE" };
      const { db, schema } = openTable(
        declarations,
        [["a"], ["a "], ["A"], [1n]].map((row) => [...row, ...row]),
      );
      loseCollation(db);
      const route = routeOf(schema, { groupBy: ["g", "sensor_id"], metrics: ["g"] });
      expect(usesGrouped(db, route)).toBe(true);
      expect(expectSame(db, schema, route)).toBe(4);
    });

    it("of as many groups as a function takes, and leaves more to the SQL", () => {
      const names = Array.from({ length: 1_100 }, (_, index) => `g${index}`);
      const declarations = Object.fromEntries(names.map((name) => [name, "TEXT"]));
      const { db, schema } = openTable(declarations, [names, names.toReversed(), names]);
      const most = routeOf(schema, { groupBy: names.slice(0, 997), metrics: [] });
      expect(usesGrouped(db, most)).toBe(true);
      expect(expectSame(db, schema, most)).toBe(2);
      const more = routeOf(schema, { groupBy: names.slice(0, 998), metrics: [] });
      expect(more.columnarSql).toBeNull();
      expect(expectSame(db, schema, more)).toBe(2);
    });
  });

  it.each<[string, number, Stored]>([
    ["a name that is not valid text", 1, { bytes: Buffer.from([0x61, 0xff]) }],
    ["a name of more than 64 KB", 1, "x".repeat(65_537)],
    ["a blob that takes more than 64 KB as text", 1, Buffer.alloc(32_768)],
    ["groups of more than 32 MB", 600, "x".repeat(60_000)],
  ])("leaves %s to the SQL, with all rows", (_, count, sensor) => {
    const rows = Array.from({ length: count }, (_, index): Stored[] => [
      ...[BigInt(index) * 60n, sensor, null, 1, 1, 1n, 0n],
    ]);
    const { db, schema } = openTable(DECLARATIONS, [...rows, [null, "a", null, 1, 1, 1n, 0n]]);
    expect(usesGrouped(db, routeOf(schema))).toBe(false);
    expect(expectSame(db, schema, routeOf(schema))).toBe(count + 1);
    expect(usesGrouped(db, routeOf(schema), { first: BigInt(count + 1), last: 10n ** 6n })).toBe(true);
  });

  it.each([
    ["no arguments", "SELECT grouped()"],
    ["no micros", "SELECT grouped('', 1)"],
    ["no layout", "SELECT grouped(NULL, 1, 1)"],
    ["a layout of other letters", "SELECT grouped('x', 1, 1, 1)"],
    ["a layout in another order", "SELECT grouped('mg', 1, 1, 1, 1)"],
    ["fewer values than letters", "SELECT grouped('gm', 1, 1, 1)"],
    ["more values than letters", "SELECT grouped('g', 1, 1, 1, 1)"],
    ["a window of no length", "SELECT grouped('', 0, 1)"],
    ["a window of more than 285 years", "SELECT grouped('', 9007199254740993, 1)"],
    ["a time before the year 1", "SELECT grouped('', 1, -62135596800000001)"],
    ["a time behind the year 9999", "SELECT grouped('', 1, 253402300800000000)"],
  ])("refuses %s", (_, sql) => {
    const { db } = openTable(DECLARATIONS, []);
    expect(() => db.prepare(sql).get()).toThrow("grouped: the arguments are wrong");
  });

  it("cannot be reached from a schema that somebody else has made", () => {
    const { db } = openTable(DECLARATIONS, []);
    db.exec("CREATE VIEW v AS SELECT grouped('', 1, id) FROM readings");
    expect(() => db.prepare("SELECT * FROM v").get()).toThrow("unsafe use of grouped()");
  });
});

function openTable(
  declarations: Readonly<Record<string, string>>,
  rows: readonly (readonly Stored[])[],
  encoding = "UTF-8",
): { readonly db: Connection; readonly schema: SourceSchema } {
  const db = openMemory();
  loadNative(db);
  db.pragma(`encoding = '${encoding}'`);
  const timestampColumn = "time" in declarations ? { timestampColumn: "time" } : {};
  return { db, schema: createTable(db, declarations, { rows, ...timestampColumn }) };
}

function routeOf(schema: SourceSchema, given: Partial<QuerySettings["aggregated"]> = {}): RouteQuery {
  const settings = { ...SETTINGS, aggregated: { ...AGGREGATED, ...given } };
  return QUERIES.aggregated(schema, settings).routes[0] as RouteQuery;
}

/** Whether `grouped` itself makes the rows of a route; otherwise it leaves them to the SQL. */
function usesGrouped(
  db: Connection,
  { columnarSql, parameters }: RouteQuery,
  range: RowRange = ALL_ROWS,
): boolean {
  try {
    db.prepare(columnarSql as string).get({ ...parameters, ...range });
    return true;
  } catch (error) {
    const isLeft = error instanceof Database.SqliteError && /^SQLITE_(MISMATCH|TOOBIG)$/.test(error.code);
    if (isLeft) return false;
    throw error;
  }
}

/** Holds all ways to the rows of a route against each other, and counts the rows. */
function expectSame(
  db: Connection,
  schema: SourceSchema,
  route: RouteQuery,
  range: RowRange = ALL_ROWS,
): number {
  const { columnarSql, ...bySql } = route;
  const { native, typescript } = readBothWays(db, schema, route, { range });
  expect(native ?? typescript).toEqual(typescript);
  const { native: sorted } = readBothWays(db, schema, bySql, { range });
  expect(sorted ?? typescript).toEqual(typescript);
  return typescript.rows;
}
