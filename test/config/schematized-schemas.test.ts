import { describe, expect, test } from "vitest";
import { CONFIG, CWD, type Given, localSettingsOf, problemsOf } from "./configuration.ts";

const schemasOf = (given: Given) => localSettingsOf(given).queries.schematized.schemas;
/** JSON is YAML. */
const inline = (schema: unknown): Given => ({ yaml: `schematized:\n  schema: ${JSON.stringify(schema)}` });
const propertyOf = (property: unknown) =>
  schemasOf(inline({ version: "1", properties: { a: property } }))["*"]?.properties.a;

describe("a schema", () => {
  test("inline holds for every table", () => {
    const schema = {
      $schema: "https://json-schema.org/draft/2020-12/schema",
      title: "readings",
      description: "what a sensor says",
      version: "2.1",
      type: "object",
      required: ["a", "not_in_properties"],
      properties: {
        a: { type: "integer", minimum: -1, maximum: 5, enum: [1, 2], description: "a" },
        b: { type: "string", pattern: "^\\p{L}+$", maxLength: 8, title: "b" },
        c: {},
      },
    };
    expect(schemasOf(inline(schema))).toEqual({
      "*": {
        version: "2.1",
        required: ["a", "not_in_properties"],
        properties: {
          a: { type: "integer", minimum: -1, maximum: 5, enum: [1, 2] },
          b: { type: "string", pattern: "^\\p{L}+$", maxLength: 8 },
          c: {},
        },
      },
    });
  });

  test.each(["JSON", "YAML"])("can be a %s file, named relative to the file that names it", (format) => {
    const text =
      format === "JSON"
        ? '{\n\t"version": 3,\n\t"properties": {"a": {"type": "number"}}\n}'
        : "version: 3\nproperties:\n  a: {type: number}";
    const files = { "/etc/up/c.yaml": "schematized: {schema: s/a.json}", "/etc/up/s/a.json": text };
    expect(schemasOf({ files, argv: { config: "/etc/up/c.yaml" } })).toEqual({
      "*": { version: "3", required: [], properties: { a: { type: "number" } } },
    });
  });

  test("can be one for each table, here or in files, which may name files themselves", () => {
    const files = {
      [`${CWD}/s/all.yaml`]: 'tables:\n  one: one.json\n  "*": {version: every, properties: {a: {}}}',
      [`${CWD}/s/one.json`]: '{"version": "one", "properties": {"b": {}}}',
    };
    const schemas = {
      one: { version: "one", required: [], properties: { b: {} } },
      "*": { version: "every", required: [], properties: { a: {} } },
    };
    expect(schemasOf({ files, yaml: "schematized: {schema: s/all.yaml}" })).toEqual(schemas);
    const yaml =
      'schematized:\n  schema:\n    tables: {one: s/one.json, "*": {version: every, properties: {a: {}}}}';
    expect(schemasOf({ files, yaml })).toEqual(schemas);
  });

  test("has nothing under names that objects inherit", () => {
    const schemas = schemasOf(inline({ properties: { a: {} } }));
    expect(schemas.constructor).toBeUndefined();
    expect(schemas["*"]?.properties.toString).toBeUndefined();
  });

  test("has as its version what it says, else its $id, else a hash of what is checked", () => {
    const versionOf = (schema: object) =>
      schemasOf(inline({ properties: { a: { minimum: 1 }, b: {} }, ...schema }))["*"]?.version;
    expect(versionOf({ version: "v", $id: "urn:x" })).toBe("v");
    expect(versionOf({ version: 7 })).toBe("7");
    expect(versionOf({ $id: "urn:x" })).toBe("urn:x");
    const hash = versionOf({});
    expect(hash).toMatch(/^[0-9a-f]{12}$/);
    expect(versionOf({ title: "other words", properties: { b: {}, a: { minimum: 1 } } })).toBe(hash);
    expect(versionOf({ properties: { a: { minimum: 2 }, b: {} } })).not.toBe(hash);
    expect(versionOf({ required: ["a"] })).not.toBe(hash);
    expect(versionOf({ required: ["b", "a"] })).toBe(versionOf({ required: ["a", "b"] }));
  });
});

describe("a property", () => {
  test.each([
    [{ type: ["number", "null"] }, { type: "number" }],
    [{ type: ["null", "string"] }, { type: "string" }],
    [{ type: "string", format: "date-time" }, { type: "timestamp" }],
    [{ type: ["string", "null"], format: "date-time" }, { type: "timestamp" }],
    [{ format: "date-time" }, { type: "timestamp" }],
    [{ type: "timestamp", format: "date-time" }, { type: "timestamp" }],
    [
      { type: "string", enum: ["a", null] },
      { type: "string", enum: ["a"] },
    ],
    [
      { type: "boolean", enum: [true] },
      { type: "boolean", enum: [true] },
    ],
    [
      { minimum: 0, pattern: "x" },
      { minimum: 0, pattern: "x" },
    ],
  ])("%j is %j", (given, property) => {
    expect(propertyOf(given)).toEqual(property);
  });
});

describe("a fault is named with its place", () => {
  const at = (line: number): string => `(${CONFIG}:${line})`;
  const keywords =
    "is not a keyword that is checked; they are type, format, minimum, maximum, enum, pattern, maxLength, title, description";

  test.each([
    [
      { type: "strng" },
      "type",
      'must be one of string, number, integer, boolean, timestamp, or a list of one of them and "null", not "strng"',
    ],
    [
      { type: ["number", "string"] },
      "type",
      'must be one of string, number, integer, boolean, timestamp, or a list of one of them and "null", not a list of 2',
    ],
    [
      { type: ["null"] },
      "type",
      'must be one of string, number, integer, boolean, timestamp, or a list of one of them and "null", not a list of 1',
    ],
    [{ minLength: 3 }, "minLength", `${keywords}; did you mean maxLength?`],
    [{ $ref: "#/x" }, "$ref", keywords],
    [{ constructor: 1 }, "constructor", keywords],
    [{ minimum: "1" }, "minimum", 'must be a number, not "1"'],
    [{ minimum: 5, maximum: 1 }, "minimum", "is 5, above the maximum of 1: every row would be rejected"],
    [
      { type: "string", maximum: 1 },
      "maximum",
      "says nothing about type string; it goes with number or integer",
    ],
    [{ type: "number", pattern: "a" }, "pattern", "says nothing about type number; it goes with string"],
    [
      { type: "number", format: "date-time" },
      "format",
      "says nothing about type number; it goes with string or timestamp",
    ],
    [
      { type: "string", format: "email" },
      "format",
      'must be "date-time", the one format that is checked, not "email"',
    ],
    [{ pattern: "(" }, "pattern", "is not a regular expression (with the flag u): Unterminated group"],
    [{ pattern: "\\-" }, "pattern", "is not a regular expression (with the flag u): Invalid escape"],
    [{ pattern: 5 }, "pattern", "must be a text, not 5"],
    [{ maxLength: -1 }, "maxLength", "must be a whole number of at least 0, not -1"],
    [{ enum: 1 }, "enum", "must be a list of values, not 1"],
    [
      { enum: [null] },
      "enum",
      "must be a list of values, not a list that is empty or holds more than texts, numbers, true and false",
    ],
    [
      { enum: [[1]] },
      "enum",
      "must be a list of values, not a list that is empty or holds more than texts, numbers, true and false",
    ],
    [{ type: "integer", enum: [1, 1.5] }, "enum", "has 1.5, which is not of type integer"],
    [{ type: "string", enum: [1] }, "enum", "has 1, which is not of type string"],
    [{ title: 1 }, "title", "must be a text, not 1"],
  ])("property %j", (property, key, message) => {
    expect(problemsOf(inline({ properties: { a: property } }))).toEqual([
      `schematized.schema.properties.a.${key}: ${message} ${at(2)}`,
    ]);
  });

  test.each([
    [{}, "properties: is required: a mapping of columns to what must hold for them"],
    [{ properties: {} }, "properties: is empty; name at least one column"],
    [{ properties: { a: "number" } }, 'properties.a: must be a mapping with a type, not "number"'],
    [
      { properties: { a: {}, A: {} } },
      "properties.A: is there twice; case makes no difference in names of columns",
    ],
    [{ properties: { a: {} }, type: "array" }, 'type: must be "object", since a row is one, not "array"'],
    [
      { properties: { a: {} }, requird: [] },
      "requird: is not a keyword that is checked; they are $schema, $id, version, title, description, type, properties, required; did you mean required?",
    ],
    [{ properties: { a: {} }, required: "a" }, 'required: must be a list of columns, not "a"'],
    [{ properties: { a: {} }, required: ["a", 1] }, "required[1]: must be the name of a column, not 1"],
    [{ properties: { a: {} }, required: ["a", "A"] }, 'required: names "A" twice'],
    [
      { properties: { a: {} }, version: 1.1 },
      "version: must be a text or a whole number, not 1.1; put quotes around a version such as 1.10",
    ],
    [{ properties: { a: {} }, $id: 1 }, "$id: must be a text, not 1"],
    [{ tables: [] }, "tables: must be a mapping of tables to schemas, not a list"],
    [
      { tables: { a: { properties: { b: {} } } }, required: [] },
      "required: cannot stand beside tables; move it into the schema of a table",
    ],
    [
      { tables: { a: { properties: { b: 1 } } } },
      "tables.a.properties.b: must be a mapping with a type, not 1",
    ],
    [
      { tables: { a: { properties: { b: {} } }, A: { properties: { b: {} } } } },
      "tables.A: is there twice; case makes no difference in names of tables",
    ],
  ])("schema %j", (schema, line) => {
    expect(problemsOf(inline(schema))).toEqual([`schematized.schema.${line} ${at(2)}`]);
  });

  test("in another file, that file's line", () => {
    const files = { [`${CWD}/s.yaml`]: "properties:\n  a:\n    type: int" };
    expect(problemsOf({ files, yaml: "schematized: {schema: s.yaml}" })).toEqual([
      `schematized.schema.properties.a.type: must be one of string, number, integer, boolean, timestamp, or a list of one of them and "null", not "int" (${CWD}/s.yaml:3)`,
    ]);
  });

  test("a file that is missing, broken, or empty", () => {
    const yaml = "schematized: {schema: {tables: {a: gone.json, b: bad.json, c: empty.json}}}";
    const files = { [`${CWD}/bad.json`]: '{"properties": {"a": {},\n"a": {}}}', [`${CWD}/empty.json`]: "" };
    expect(problemsOf({ yaml, files })).toEqual([
      `schematized.schema.tables.a: there is no such file (${CWD}/gone.json)`,
      `schematized.schema.tables.b.properties.a: is there twice; the first is on line 1 (${CWD}/bad.json:2)`,
      `schematized.schema.tables.c: must be a JSON Schema object with properties, not null (${CWD}/empty.json:1)`,
    ]);
  });

  test("neither a path nor a schema", () => {
    expect(problemsOf({ yaml: "schematized: {schema: 5}" })).toEqual([
      `schematized.schema: must be the path of a JSON or YAML file, or a schema, not 5 ${at(1)}`,
    ]);
  });
});
