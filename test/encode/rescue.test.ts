import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rescuedJson, rescuedText, rescuedValue } from "../../src/encode/rescue.ts";
import { decodeRescued } from "../support/stored-values.ts";

describe("the JSON of _rescued", () => {
  it.each<[Parameters<typeof rescuedValue>[0], string]>([
    [5n, "5"],
    [-(2n ** 63n), "-9223372036854775808"],
    [2n ** 63n - 1n, "9223372036854775807"],
    [1.5, "1.5"],
    [5, "5.0"],
    [-0, "-0.0"],
    [1e19, "10000000000000000000.0"],
    [1e21, "1e+21"],
    [5e-324, "5e-324"],
    [Number.POSITIVE_INFINITY, '{"real":"Infinity"}'],
    [Number.NEGATIVE_INFINITY, '{"real":"-Infinity"}'],
    ["", '""'],
    ['a"b\\\n\0\u2028', '"a\\"b\\\\\\n\\u0000\u2028"'],
    ["5", '"5"'],
    [Buffer.from("00ff", "hex"), '{"blob":"00ff"}'],
    [Buffer.alloc(0), '{"blob":""}'],
  ])("has %s as %s", (value, json) => {
    expect(rescuedValue(value)).toBe(json);
  });

  it("has text that is not valid by its bytes", () => {
    expect(rescuedText(Buffer.from("61ff", "hex"))).toBe('{"text":"61ff"}');
  });

  it("has the columns in their order, whatever they are called", () => {
    const json = rescuedJson([
      ['odd "name"\n', "5"],
      ["__proto__", '"x"'],
    ]);
    expect(json).toBe('{"odd \\"name\\"\\n":5,"__proto__":"x"}');
  });

  it("is JSON, and gives back the value exactly", () => {
    const values = fc.oneof(
      fc
        .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
        .map((value) => ({ value, stored: `integer ${value}` })),
      fc.double({ noNaN: true }).map((value) => ({ value, stored: `real ${bits(value)}` })),
      fc
        .string({ unit: "binary" })
        .map((value) => ({ value, stored: `text ${Buffer.from(value).toString("hex")}` })),
      fc
        .uint8Array()
        .map((bytes) => Buffer.from(bytes))
        .map((value) => ({ value, stored: `blob ${value.toString("hex")}` })),
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.string({ unit: "binary" }), { minLength: 1 }),
        values,
        (columns, { value, stored }) => {
          const json = rescuedJson(columns.map((column) => [column, rescuedValue(value)]));
          expect(Object.keys(JSON.parse(json)).toSorted()).toEqual(columns.toSorted());
          expect(decodeRescued(json, "utf8")).toEqual(new Map(columns.map((column) => [column, stored])));
        },
      ),
    );
  });
});

function bits(value: number): string {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleBE(value);
  return buffer.toString("hex");
}
