import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { UploaderError } from "../../src/core/errors.ts";
import type { Condition, SourceSchema } from "../../src/core/types.ts";
import { compileCondition } from "../../src/query/conditions.ts";
import { quoteName } from "../../src/sqlite/names.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";
import { anyCondition, anyRow, CONDITION_COLUMNS, holds, storedRows } from "./condition-model.ts";
import { createTable, openMemory } from "./tables.ts";

/** The ids of the rows of which a condition is true. */
function matching(db: Connection, schema: SourceSchema, condition: Condition): number[] {
  const { sql, parameters } = compileCondition(condition, schema);
  const statement = db.prepare(`SELECT id FROM ${quoteName(schema.table)} WHERE ${sql} ORDER BY id`);
  return statement.pluck().all(parameters).map(Number);
}

describe("a condition", () => {
  const db = openMemory();
  const schema = createTable(
    db,
    { temperature: "REAL", location: "TEXT", code: "INTEGER", text: "TEXT", any: "", day: "DATETIME" },
    {
      rows: [
        [90, "Berlin", 1n, "100", 1n, "2026-01-01"],
        [70, "Paris", 2n, "9", "1", "2028-01-01"],
        [null, null, null, null, null, null],
        ["ERROR", "berlin", 3n, "80", Buffer.from("1"), "2026"],
        [80, "", 0n, "eighty", 80.5, "noon"],
      ],
    },
  );

  it.each<[Condition, number[]]>([
    [{}, [1, 2, 3, 4, 5]],
    [{ temperature: { ">": 80 } }, [1]],
    [{ temperature: { ">=": 80, "<": 90 } }, [5]],
    [{ temperature: { "!=": 80 } }, [1, 2, 4]],
    [{ temperature: { ">": 80 }, location: "Berlin", code: { in: [1, 2] } }, [1]],
    [{ TEMPERATURE: 90 }, [1]],
    [{ location: "Berlin" }, [1]],
    [{ location: null }, [3]],
    [{ location: { "!=": null } }, [1, 2, 4, 5]],
    [{ location: { ">": "B" } }, [1, 2, 4]],
    [{ code: { in: [1, null] } }, [1, 3]],
    [{ code: { not_in: [1, null] } }, [2, 4, 5]],
    [{ code: { not_in: [1] } }, [2, 4, 5]],
    [{ code: { in: [] } }, []],
    [{ code: { not_in: [] } }, [1, 2, 3, 4, 5]],
    [{ code: true }, [1]],
    [{ code: false }, [5]],
    [{ code: "2" }, [2]],
    [{ code: { "<": "2" } }, [1, 5]],
    [{ text: { ">": 80 } }, [1]],
    [{ text: { ">": "80" } }, [2, 5]],
    [{ text: 9 }, [2]],
    [{ any: 1 }, [1, 2]],
    [{ any: "1" }, [2]],
    [{ any: { ">": 0 } }, [1, 2, 5]],
    [{ any: { ">": "0" } }, [2]],
    [{ any: { "<": "2" } }, [2]],
    [{ day: { "<": "2027" } }, [1]],
    [{ day: 2026 }, [4]],
    [{ $not: { code: 1 } }, [2, 4, 5]],
    [{ $or: [{ code: 1 }, { location: "Paris" }] }, [1, 2]],
    [{ $and: [{ code: { ">": 0 } }, { $not: { location: "Paris" } }] }, [1, 4]],
  ])("%j holds for the rows %j", (condition, ids) => {
    expect(matching(db, schema, condition)).toEqual(ids);
  });

  it("says which columns the table lacks", () => {
    const { missingColumns } = compileCondition(
      { code: 1, $or: [{ pressure: 1 }, { wind: { ">": 2 } }] },
      schema,
    );
    expect(missingColumns).toEqual(["pressure", "wind"]);
  });

  it.each([
    [null],
    [[]],
    ["x"],
    [{ code: {} }],
    [{ code: [1, 2] }],
    [{ code: { ">>": 1 } }],
    [{ code: { toString: 1 } }],
    [{ code: { ">": null } }],
    [{ code: { ">": true } }],
    [{ code: { "=": { a: 1 } } }],
    [{ code: { in: 1 } }],
    [{ code: { in: [[1]] } }],
    [{ code: Number.NaN }],
    [{ code: undefined }],
    [{ pressure: { ">>": 1 } }],
    [{ $xor: [] }],
    [{ $or: [] }],
    [{ $or: { code: 1 } }],
    [{ $and: [1] }],
    [{ $not: [] }],
    [{ $not: { $nor: 1 } }],
    [{ code: { in: Array(1001).fill(1) } }],
    [
      Array(12)
        .fill("$not")
        .reduceRight((inner, key) => ({ [key]: inner }), { code: 1 }),
    ],
  ])("case %#: what is not of the language is a configuration error", (condition) => {
    expect(() => compileCondition(condition as Condition, schema)).toThrow(UploaderError);
    expect(() => compileCondition(condition as Condition, schema)).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", hint: expect.stringContaining("temperature") }),
    );
  });

  it("may be as long and as deep as the language allows", () => {
    const list = Array.from({ length: 470 }, (_, index) => index);
    const wide: Condition = {
      $and: [{ code: { in: [...list, 2] } }, { $or: list.map(() => ({ code: 2 })).slice(0, 170) }],
    };
    expect(matching(db, schema, wide)).toEqual([2]);
    const deep = Array(10)
      .fill(0)
      .reduce<Condition>((inner) => ({ $not: inner }), { code: 2 });
    expect(matching(db, schema, deep)).toEqual([2]);
  });
});

describe("any condition", () => {
  it("means over any rows what the model says", () => {
    fc.assert(
      fc.property(fc.array(anyRow, { minLength: 1, maxLength: 8 }), anyCondition, (rows, condition) => {
        const db = openMemory();
        const schema = createTable(db, CONDITION_COLUMNS, { rows });
        const expected = [...storedRows(db, schema)]
          .filter(([, row]) => holds(condition, row))
          .map(([id]) => Number(id));
        expect(matching(db, schema, condition)).toEqual(expected);
        const unknown = [...storedRows(db, schema)].filter(([, row]) => holds(condition, row) === false);
        expect(matching(db, schema, { $not: condition })).toEqual(unknown.map(([id]) => Number(id)));
        db.close();
      }),
      fuzzRuns(400),
    );
  });

  it("is nothing but a condition, whatever the names and values in it", () => {
    const hostile = fc.oneof(
      fc.string({ unit: fc.constantFrom(...`"'\`;-)(/*@?:$ a\n\\%[]`), minLength: 1, maxLength: 8 }),
      fc.constantFrom(`x" OR 1=1 --`, `'; DROP TABLE t; --`, `"") IS TRUE OR ("`, "@first", "__proto__"),
    );
    const names = fc.uniqueArray(
      hostile.filter((name) => !name.startsWith("$") && name !== "id"),
      {
        minLength: 1,
        maxLength: 3,
        selector: (name) => name.toLowerCase(),
      },
    );
    fc.assert(
      fc.property(names, hostile, (columns, text) => {
        const db = openMemory();
        const declarations = Object.fromEntries(columns.map((name) => [name, "TEXT"]));
        const row = (value: string) => columns.map(() => value);
        const schema = createTable(db, declarations, {
          table: text.startsWith("sqlite_") ? "x" : text,
          rows: [row(text), row("other")],
        });
        const condition: Condition = Object.fromEntries(
          columns.map((name) => [name, { "=": text, in: [text] }]),
        );
        expect(matching(db, schema, condition)).toEqual([1]);
        db.close();
      }),
      fuzzRuns(100),
    );
  });
});
