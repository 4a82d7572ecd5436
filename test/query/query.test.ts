import { describe, expect, it } from "vitest";
import { PIPELINE_TYPES, type QuerySettings } from "../../src/core/types.ts";
import { QUERIES } from "../../src/query/query.ts";
import { createTable, loseCollation, openMemory, readRoutes, SETTINGS } from "./tables.ts";

describe.each(PIPELINE_TYPES)("the query of %s", (type) => {
  it("needs no collation that only the sensor's program has", () => {
    const db = openMemory();
    const names = ["TEXT", "REAL", "INTEGER", "BOOLEAN", "BLOB"] as const;
    const declarations = Object.fromEntries(names.map((declared) => [declared, `${declared} COLLATE RTRIM`]));
    const schema = createTable(db, declarations, { rows: [["80", 80, 80n, 1n, "80"]] });
    loseCollation(db);
    expect(() => db.prepare("SELECT id FROM readings WHERE text = 'Berlin'")).toThrow("no such collation");
    const conditions = { "=": 80, in: ["80", 80], ">": 1, "<": "9" };
    const limits = { minimum: 0, maximum: 90, enum: ["80", 80], pattern: "8", maxLength: 9 };
    const types = ["string", "number", "integer", "boolean", undefined] as const;
    const settings: QuerySettings = {
      emergency: { filter: { $or: names.map((name) => ({ [name]: conditions })) } },
      schematized: {
        schemas: {
          "*": {
            version: "1",
            required: names,
            properties: Object.fromEntries(
              names.map((name, index) => [name, { ...limits, ...(types[index] && { type: types[index] }) }]),
            ),
          },
        },
        enrich: {},
      },
      aggregated: { windowSeconds: 60, groupBy: names, metrics: names },
    };
    expect(readRoutes(db, QUERIES[type]({ ...schema, timestampColumn: null }, settings)).flat()).toHaveLength(
      1,
    );
    expect(
      readRoutes(db, QUERIES[type]({ ...schema, timestampColumn: "TEXT" }, SETTINGS)).flat(),
    ).toHaveLength(1);
  });

  it("is of its arguments alone", () => {
    const schema = createTable(openMemory(), { time: "TEXT", x: "REAL" }, { timestampColumn: "time" });
    expect(QUERIES[type](schema, SETTINGS)).toEqual(QUERIES[type](schema, SETTINGS));
  });

  it("binds names of its own beside the range", () => {
    const schema = createTable(
      openMemory(),
      { time: "TEXT", x: "REAL", anomaly_flag: "INTEGER" },
      { timestampColumn: "time" },
    );
    const { routes, firstOpenRow } = QUERIES[type](schema, SETTINGS);
    for (const { parameters } of [...routes, ...(firstOpenRow ? [firstOpenRow] : [])])
      for (const name of ["first", "last", "now"]) expect(parameters).not.toHaveProperty(name);
  });
});
