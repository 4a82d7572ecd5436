import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UploaderError } from "../../src/core/errors.ts";
import type {
  PropertySchema,
  QuerySettings,
  Scalar,
  SourceSchema,
  TableSchema,
} from "../../src/core/types.ts";
import { QUERIES } from "../../src/query/query.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { timestampMicros } from "../../src/sqlite/timestamp-micros.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";
import {
  anyValue,
  createTable,
  openMemory,
  type Row,
  readRoute,
  readRoutes,
  rowids,
  SETTINGS,
  type Stored,
} from "./tables.ts";

function settingsWith(
  properties: Readonly<Record<string, PropertySchema>>,
  required: readonly string[] = [],
  enrich: Readonly<Record<string, Scalar>> = {},
): QuerySettings {
  return { ...SETTINGS, schematized: { schemas: { "*": { version: "1", required, properties } }, enrich } };
}

function build(schema: SourceSchema, settings: QuerySettings) {
  const query = QUERIES.schematized(schema, settings);
  const [accepted, rejected] = query.routes;
  if (!accepted || !rejected) throw new Error("routes are missing");
  return { query, accepted, rejected };
}

/** What becomes of one value under one property: the typed value, or the errors. */
function check(declared: string, stored: Stored, property: PropertySchema, required = false): unknown {
  const db = openMemory();
  const schema = createTable(db, { x: declared }, { rows: [[stored]] });
  const { accepted, rejected } = build(schema, settingsWith({ x: property }, required ? ["x"] : []));
  const [row] = readRoute(db, accepted);
  const [failed] = readRoute(db, rejected);
  if (row && !failed) return row.x;
  if (row || !failed) throw new Error("the row is in both routes, or in none");
  return (JSON.parse(failed._errors as string) as { error: string }[]).map(({ error }) => error);
}

const BIG = 2n ** 53n;
const NEW_YEAR = 1_767_225_600_000_000n;

describe("a type of the schema", () => {
  it.each<[PropertySchema["type"], string, Stored, unknown]>([
    ["string", "TEXT", "80", "80"],
    ["string", "", 80n, "80"],
    ["string", "", 0.1 + 0.2, "0.30000000000000004"],
    ["string", "TEXT", "a\0b", "a\0b"],
    ["number", "REAL", 80.5, 80.5],
    ["number", "INTEGER", 80n, 80],
    ["number", "INTEGER", BIG, Number(BIG)],
    ["number", "INTEGER", 2n ** 62n, 2 ** 62],
    ["number", "REAL", Infinity, Infinity],
    ["number", "TEXT", " 8e1 ", 80],
    ["integer", "INTEGER", 2n ** 63n - 1n, 2n ** 63n - 1n],
    ["integer", "REAL", 80, 80n],
    ["integer", "REAL", -(2 ** 63), -(2n ** 63n)],
    ["integer", "TEXT", "80", 80n],
    ["boolean", "INTEGER", 1n, 1n],
    ["boolean", "REAL", 0, 0n],
    ["boolean", "TEXT", "True", 1n],
    ["boolean", "TEXT", "false", 0n],
    ["timestamp", "TEXT", "2026-01-01T00:00:00Z", NEW_YEAR],
    ["timestamp", "INTEGER", 1_767_225_600n, NEW_YEAR],
    [undefined, "REAL", "text", "text"],
    [undefined, "TEXT", Buffer.from("b"), Buffer.from("b")],
    ["number", "REAL", null, null],
  ])("%s makes of %s %s the value %s", (type, declared, stored, typed) => {
    expect(check(declared, stored, type ? { type } : {})).toEqual(typed);
  });

  it.each<[PropertySchema["type"], string, Stored, string]>([
    ["string", "TEXT", Buffer.from("x"), "is not a string"],
    ["number", "INTEGER", BIG + 1n, "is not a number that a double can hold"],
    ["number", "INTEGER", 2n ** 63n - 1n, "is not a number that a double can hold"],
    ["number", "TEXT", "80°", "is not a number that a double can hold"],
    ["number", "TEXT", "", "is not a number that a double can hold"],
    ["number", "TEXT", "80\0", "is not a number that a double can hold"],
    ["number", "REAL", Buffer.from("80"), "is not a number that a double can hold"],
    ["integer", "REAL", 80.5, "is not a whole number of 64 bits"],
    ["integer", "REAL", 2 ** 63, "is not a whole number of 64 bits"],
    ["integer", "REAL", Infinity, "is not a whole number of 64 bits"],
    ["integer", "TEXT", "9223372036854775808", "is not a whole number of 64 bits"],
    ["boolean", "INTEGER", 2n, "is not true or false"],
    ["boolean", "TEXT", "true\0", "is not true or false"],
    ["boolean", "TEXT", "yes", "is not true or false"],
    ["boolean", "BLOB", Buffer.from("true"), "is not true or false"],
    ["timestamp", "TEXT", "yesterday", "is not a point in time"],
    ["timestamp", "TEXT", Buffer.from("2026-01-01"), "is not a point in time"],
  ])("%s refuses %s %s", (type, declared, stored, error) => {
    expect(check(declared, stored, type ? { type } : {})).toEqual([error]);
  });

  it("string keeps every real readable as the same number", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (real) => {
        expect(Number(check("BLOB", real, { type: "string" })) + 0).toBe(real + 0);
      }),
    );
  });
});

describe("a keyword of the schema", () => {
  it.each<[PropertySchema, string, Stored]>([
    [{ minimum: 0 }, "REAL", 0],
    [{ minimum: 0 }, "REAL", "text is no number"],
    [{ type: "number", minimum: 0, maximum: 10 }, "TEXT", "10"],
    [{ type: "number", maximum: 10 }, "REAL", null],
    [{ type: "timestamp", minimum: 1_767_225_600, maximum: 1_767_225_600_000 }, "TEXT", "2026-01-01"],
    [{ enum: ["a", 1] }, "", "a"],
    [{ enum: ["a", 1] }, "", 1],
    [{ enum: ["a"] }, "TEXT", null],
    [{ type: "string", enum: ["1"] }, "INTEGER", 1n],
    [{ type: "number", enum: [0.5, 2] }, "TEXT", "2.0"],
    [{ type: "boolean", enum: [true] }, "TEXT", "true"],
    [{ type: "timestamp", enum: ["2026-01-01", "2027-01-01"] }, "INTEGER", 1_767_225_600n],
    [{ pattern: "^\\d{3}$" }, "", 5n],
    [{ type: "string", pattern: "^\\p{Lu}" }, "TEXT", "Éa"],
    [{ maxLength: 3 }, "TEXT", "ü\0😀"],
    [{ type: "string", maxLength: 3 }, "INTEGER", 123n],
  ])("case %#: %o lets pass %s %s", (property, declared, stored) => {
    expect(check(declared, stored, property)).not.toBeInstanceOf(Array);
  });

  it.each<[PropertySchema, string, Stored, string[]]>([
    [{ minimum: 0 }, "", -1n, ["is below the minimum of 0"]],
    [{ type: "number", maximum: 10 }, "TEXT", "10.5", ["is above the maximum of 10"]],
    [{ type: "number", maximum: 10 }, "REAL", Infinity, ["is above the maximum of 10"]],
    [
      { type: "timestamp", minimum: 1_767_225_601 },
      "TEXT",
      "2026-01-01",
      ["is below the minimum of 1767225601"],
    ],
    [{ enum: ["a", 1] }, "", "1", ["is not in the enum"]],
    [{ enum: ["a", 1] }, "", Buffer.from("a"), ["is not in the enum"]],
    [{ enum: [] }, "", 1n, ["is not in the enum"]],
    [{ type: "number", enum: ["1"] }, "", 1n, ["is not in the enum"]],
    [{ type: "boolean", enum: [true] }, "", 0n, ["is not in the enum"]],
    [{ type: "timestamp", enum: ["nonsense"] }, "TEXT", "2026-01-01", ["is not in the enum"]],
    [{ type: "string", pattern: "^a" }, "TEXT", "ba", ["does not match the pattern ^a"]],
    [{ maxLength: 2 }, "TEXT", "ü\0😀", ["is longer than 2 characters"]],
    [
      { type: "string", enum: ["a"], pattern: "^a", maxLength: 1 },
      "TEXT",
      "\0\0",
      ["is not in the enum", "does not match the pattern ^a", "is longer than 1 characters"],
    ],
    [
      { type: "number", minimum: 0, enum: [1], pattern: "x" },
      "TEXT",
      "bad",
      ["is not a number that a double can hold", "does not match the pattern x"],
    ],
  ])("case %#: %o refuses %s %s", (property, declared, stored, errors) => {
    expect(check(declared, stored, property)).toEqual(errors);
  });

  it("required refuses null alone", () => {
    expect(check("TEXT", null, { type: "number" }, true)).toEqual(["is required"]);
    expect(check("TEXT", "", {}, true)).toBe("");
  });
});

describe("schematized", () => {
  it("ships typed rows that pass, and rows as stored with their errors that do not", () => {
    const db = openMemory();
    const schema = createTable(
      db,
      { time: "TEXT", Temperature: "TEXT", note: "TEXT" },
      {
        timestampColumn: "time",
        rows: [
          ["2026-01-01", "20", "fine"],
          ["2026-01-01", "hot", 'a "note"'],
          ["never", null, null],
        ],
      },
    );
    const settings = settingsWith({ temperature: { type: "number", maximum: 60 } }, ["TEMPERATURE"], {
      site: "B",
    });
    const { query, accepted, rejected } = build(schema, settings);
    expect(query.routes.map(({ route, rowwise }) => [route.type, route.rejected, rowwise])).toEqual([
      ["schematized", false, true],
      ["schematized", true, true],
    ]);
    expect(accepted.columns).toEqual([
      { name: "id", type: "int64", source: "id" },
      { name: "time", type: "timestamp", source: "time" },
      { name: "Temperature", type: "double", source: "Temperature" },
      { name: "note", type: "string", source: "note" },
      { name: "_rowid", type: "int64", source: null },
    ]);
    expect(accepted.constants).toEqual([
      { name: "site", type: "string", value: "B" },
      { name: "_schema_version", type: "string", value: "1" },
    ]);
    expect(readRoute(db, accepted)).toEqual([
      { id: 1n, time: NEW_YEAR, Temperature: 20, note: "fine", _rowid: 1n },
    ]);
    expect(rejected.columns.map(({ name, type }) => `${name} ${type}`)).toEqual([
      "id int64",
      "time string",
      "Temperature string",
      "note string",
      "_errors string",
      "_rowid int64",
    ]);
    expect(rejected.constants).toEqual([{ name: "_schema_version", type: "string", value: "1" }]);
    const [second, third] = readRoute(db, rejected) as [Row, Row];
    expect(second).toMatchObject({
      id: 2n,
      time: "2026-01-01",
      Temperature: "hot",
      note: 'a "note"',
      _rowid: 2n,
    });
    expect(JSON.parse(third._errors as string)).toEqual([
      { column: "time", error: "is not a point in time" },
      { column: "Temperature", error: "is required" },
    ]);
  });

  it("derives a schema from the DDL of a table that has none", () => {
    const db = openMemory();
    const declarations = {
      time: "TEXT NOT NULL",
      i: "INTEGER",
      r: "REAL",
      o: "BOOLEAN",
      d: "DATETIME",
      b: "BLOB",
      n: "",
    };
    const schema = createTable(db, declarations, {
      timestampColumn: "time",
      rows: [
        ["2026-01-01", 1n, 1, 1n, 5n, "text", 5n],
        ["2026-01-01", "x", "x", 2n, null, null, Buffer.from("b")],
      ],
    });
    const { accepted, rejected } = build(schema, SETTINGS);
    expect(accepted.columns.map((column) => column.type)).toEqual([
      "int64",
      "timestamp",
      "int64",
      "double",
      "boolean",
      "string",
      "binary",
      "string",
      "int64",
    ]);
    expect(Object.values(readRoute(db, accepted)[0] ?? {})).toEqual([
      1n,
      NEW_YEAR,
      1n,
      1,
      1n,
      "5",
      "text",
      "5",
      1n,
    ]);
    const errors = JSON.parse(readRoute(db, rejected)[0]?._errors as string) as { column: string }[];
    expect(errors.map(({ column }) => column)).toEqual(["i", "r", "o", "n"]);
    const version = (of: SourceSchema) => build(of, SETTINGS).accepted.constants.at(-1)?.value;
    expect(version(schema)).toMatch(/^ddl-[0-9a-f]{8}$/);
    expect(version({ ...schema })).toBe(version(schema));
    expect(version({ ...schema, columns: schema.columns.slice(1) })).not.toBe(version(schema));
  });

  it("prefers the table's own schema to the one for any table", () => {
    const schema = createTable(openMemory(), { x: "TEXT" }, { table: "constructor" });
    const of = (version: string): TableSchema => ({ version, required: [], properties: {} });
    const versionWith = (schemas: Record<string, TableSchema>) =>
      build(schema, { ...SETTINGS, schematized: { schemas, enrich: {} } }).accepted.constants.at(-1)?.value;
    expect(versionWith({ "*": of("any"), constructor: of("own") })).toBe("own");
    expect(versionWith({ "*": of("any"), other: of("own") })).toBe("any");
    expect(versionWith({})).toMatch(/^ddl-/);
  });

  it("keeps the timestamp column as the schema has it, where the schema gives it a type", () => {
    const schema = createTable(openMemory(), { time: "TEXT" }, { timestampColumn: "time" });
    expect(build(schema, settingsWith({ time: { type: "string" } })).accepted.columns[1]?.type).toBe(
      "string",
    );
    expect(build(schema, settingsWith({ time: { maxLength: 30 } })).accepted.columns[1]?.type).toBe(
      "timestamp",
    );
  });

  it("has a null column for one that only the schema names, and rejects every row if it is required", () => {
    const db = openMemory();
    const schema = createTable(db, { x: "TEXT" }, { rows: [["a"], ["b"]] });
    const properties: Record<string, PropertySchema> = { wind: { type: "number" }, "X y": {} };
    const optional = build(schema, settingsWith(properties));
    expect(optional.accepted.constants.slice(0, 2)).toEqual([
      { name: "wind", type: "double", value: null },
      { name: "X_y", type: "string", value: null },
    ]);
    expect(readRoutes(db, optional.query).map(rowids)).toEqual([[1n, 2n], []]);
    const required = build(schema, settingsWith(properties, ["wind"]));
    expect(readRoutes(db, required.query).map(rowids)).toEqual([[], [1n, 2n]]);
    expect(readRoute(db, required.rejected)[0]?._errors).toBe(
      '[{"column":"wind","error":"is required, and the table lacks it"}]',
    );
  });

  it("adds constants of the node, whose names give way to those of columns", () => {
    const schema = createTable(openMemory(), { site: "TEXT", _errors: "TEXT" });
    const enrich = { Site: "Berlin", height: 3, indoor: true, tag: null, _rowid: "x", _Schema_Version: "y" };
    const { accepted } = build(schema, settingsWith({}, [], enrich));
    expect(accepted.constants).toEqual([
      { name: "Site_2", type: "string", value: "Berlin" },
      { name: "height", type: "double", value: 3 },
      { name: "indoor", type: "boolean", value: true },
      { name: "tag", type: "string", value: null },
      { name: "_rowid_2", type: "string", value: "x" },
      { name: "_Schema_Version_2", type: "string", value: "y" },
      { name: "_schema_version", type: "string", value: "1" },
    ]);
    expect(accepted.columns.map((column) => column.name)).toEqual(["id", "site", "_errors_2", "_rowid"]);
  });

  it.each<[string, Record<string, PropertySchema>]>([
    ["an unknown type", { x: { type: "float" as "number" } }],
    ["a pattern that is none", { x: { pattern: "(" } }],
    ["a column twice", { x: {}, X: {} }],
    ["a limit that is not a point in time", { x: { type: "timestamp", minimum: 1e30 } }],
  ])("refuses a schema with %s", (_, properties) => {
    const schema = createTable(openMemory(), { x: "TEXT" });
    expect(() => build(schema, settingsWith(properties))).toThrow(UploaderError);
    expect(() => build(schema, settingsWith(properties))).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID" }),
    );
  });

  it("reads the rows in their order in one pass, whatever SQLite's habits", () => {
    const db = openMemory();
    const schema = createTable(
      db,
      { time: "TEXT" },
      { timestampColumn: "time", rows: [["1"], ["x"], ["3"], ["y"]] },
    );
    db.exec("CREATE INDEX by_time ON readings (time)");
    db.pragma("reverse_unordered_selects = ON");
    const { query } = build(schema, SETTINGS);
    expect(readRoutes(db, query).map(rowids)).toEqual([
      [1n, 3n],
      [2n, 4n],
    ]);
    expect(readRoutes(db, query, { first: 2n, last: 3n }).map(rowids)).toEqual([[3n], [2n]]);
    for (const { sql, parameters } of query.routes) {
      const plan = db.prepare(`EXPLAIN QUERY PLAN ${sql}`).all({ first: 1n, last: 4n, ...parameters });
      expect(
        JSON.stringify(plan, (_, value) => (typeof value === "bigint" ? Number(value) : value)),
      ).not.toContain("B-TREE");
    }
  });

  it("works each cast out once a row", () => {
    const db = openMemory();
    let calls = 0;
    db.function("timestamp_micros", { deterministic: true, safeIntegers: true }, (value) => {
      calls += 1;
      return timestampMicros(value);
    });
    const schema = createTable(db, { time: "TEXT" }, { rows: Array(100).fill(["2026-01-01"]) });
    const { accepted } = build(
      schema,
      settingsWith({ time: { type: "timestamp", minimum: 0, maximum: 1e10, enum: ["2026-01-01"] } }),
    );
    expect(readRoute(db, accepted)).toHaveLength(100);
    expect(calls).toBe(100);
  });

  it("manages 200 columns with every check, and says so where a table is too wide", () => {
    const db = openMemory();
    const properties: Record<string, PropertySchema> = {};
    for (let index = 0; index < 200; index += 1)
      properties[`c${index}`] = { type: "string", enum: ["a"], pattern: "^a", maxLength: 1 };
    const names = Object.keys(properties);
    const declarations = Object.fromEntries(names.map((name) => [name, "TEXT"]));
    const rows = [
      names.map(() => "a"),
      names.map(() => "bb"),
      names.map((_, index) => (index === 7 ? null : "a")),
    ];
    const schema = createTable(db, declarations, { rows });
    const { query, rejected } = build(schema, settingsWith(properties, names));
    expect(readRoutes(db, query).map(rowids)).toEqual([[1n], [2n, 3n]]);
    const [all, one] = readRoute(db, rejected).map((row) => JSON.parse(row._errors as string));
    expect(all).toHaveLength(600);
    expect(one).toEqual([{ column: "c7", error: "is required" }]);

    const wide = createTable(
      openMemory(),
      Object.fromEntries(
        Array(1200)
          .fill(0)
          .map((_, index) => [`c${index}`, "TEXT"]),
      ),
    );
    expect(() => build(wide, SETTINGS)).toThrow(expect.objectContaining({ code: "SOURCE_UNSUPPORTED" }));
    expect(() => build(wide, settingsWith({}))).not.toThrow();
  });
});

const TYPES = ["string", "number", "integer", "boolean", "timestamp"] as const;
const anyProperty: fc.Arbitrary<PropertySchema> = fc.record(
  {
    type: fc.constantFrom(...TYPES),
    minimum: fc.constantFrom(0, 80, -5.5, 1_767_225_600),
    maximum: fc.constantFrom(80, 1e10, 0),
    enum: fc.array(
      fc.oneof(fc.constantFrom("80", 80, true, null, "Berlin", "2026-01-01"), fc.double({ noNaN: true })),
    ),
    pattern: fc.constantFrom("^[A-Z]", "0$", ""),
    maxLength: fc.nat({ max: 10 }),
  },
  { requiredKeys: [] },
);
const anyField = fc.record({
  declared: fc.constantFrom("INTEGER", "REAL", "TEXT", "BLOB", "BOOLEAN", "DATETIME", ""),
  property: anyProperty,
  required: fc.boolean(),
  values: fc.tuple(anyValue, anyValue, anyValue),
});

/** Whether a typed value is what the encoder takes for a column of the type. */
function fits(value: unknown, type: string): boolean {
  if (value === null) return true;
  if (type === "string") return typeof value === "string";
  if (type === "double") return typeof value === "number";
  if (type === "boolean") return value === 0n || value === 1n;
  return typeof value === "bigint";
}

describe("schematized rows, whatever is stored", () => {
  function storedRows(db: Connection, schema: SourceSchema): Row[] {
    const [route] = QUERIES.raw(schema, SETTINGS).routes;
    if (!route) throw new Error("no route");
    return readRoute(db, route);
  }

  it("are accepted with values of their types, or rejected as stored with the columns that fail alone", () => {
    fc.assert(
      fc.property(fc.array(anyField, { minLength: 1, maxLength: 4 }), (fields) => {
        const db = openMemory();
        const named = fields.map((field, index) => ({ ...field, name: `c${index}` }));
        const schema = createTable(
          db,
          Object.fromEntries(named.map(({ name, declared }) => [name, declared])),
          {
            rows: [0, 1, 2].map((row) => fields.map(({ values }) => values[row] as Stored)),
          },
        );
        const settings = settingsWith(
          Object.fromEntries(named.map(({ name, property }) => [name, property])),
          named.filter(({ required }) => required).map(({ name }) => name),
        );
        const { accepted, rejected } = build(schema, settings);
        const passed = readRoute(db, accepted);
        const failed = readRoute(db, rejected);
        const stored = storedRows(db, schema);
        expect([...rowids(passed), ...rowids(failed)].sort()).toEqual([1n, 2n, 3n]);

        for (const row of passed) {
          for (const [index, column] of accepted.columns.entries()) {
            const typed = index > 0 && index <= fields.length && fields[index - 1]?.property.type;
            if (typed)
              expect(fits(row[column.name], column.type), `${column.name} ${column.type}`).toBe(true);
          }
        }
        for (const { _errors, ...row } of failed) {
          expect(row).toEqual(stored.find(({ _rowid }) => _rowid === row._rowid));
          const errors = JSON.parse(_errors as string) as { column: string; error: string }[];
          const columns = new Set(errors.map(({ column }) => column));
          for (const { name, declared, property, required } of named) {
            const alone = check(
              declared,
              fields[named.findIndex((field) => field.name === name)]?.values[
                Number(row._rowid) - 1
              ] as Stored,
              property,
              required,
            );
            expect(columns.has(name)).toBe(Array.isArray(alone));
          }
        }
        db.close();
      }),
      fuzzRuns(200),
    );
  });
});
