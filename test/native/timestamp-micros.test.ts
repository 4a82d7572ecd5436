import fc from "fast-check";
import { expect, it } from "vitest";
import { timestampMicros } from "../../src/sqlite/timestamp-micros.ts";
import { openMemory } from "../query/tables.ts";
import { loadNative, nativeSuite } from "./native-suite.ts";

const pad = (number: number, length = 2) => String(number).padStart(length, "0");

const isoText = fc
  .tuple(
    fc.integer({ min: 0, max: 10_000 }).map((year) => pad(year, 4)),
    fc.nat({ max: 13 }).map((month) => pad(month)),
    fc.nat({ max: 32 }).map((day) => pad(day)),
    fc.constantFrom("T", "t", " ", "x", ""),
    fc.nat({ max: 24 }).map((hour) => pad(hour)),
    fc.nat({ max: 60 }).map((minute) => pad(minute)),
    fc.option(
      fc.nat({ max: 61 }).map((second) => pad(second)),
      { nil: null },
    ),
    fc.string({ unit: fc.constantFrom(..."0123456789.,"), maxLength: 12 }),
    fc.constantFrom("", "Z", "z", "+02:00", "-0530", "+14", "+24:00", "+1", "-00:60", "+ö5:00", "Zz", "\0"),
  )
  .map(
    ([year, month, day, mark, hour, minute, second, fraction, zone]) =>
      `${year}-${month}-${day}${mark}${hour}:${minute}${second === null ? "" : `:${second}${fraction}`}${zone}`,
  );

const digits = fc.string({ unit: fc.constantFrom(..."0123456789"), maxLength: 24 });
const numberText = fc
  .tuple(
    fc.constantFrom("", "-", "+", " "),
    digits,
    fc.oneof(
      fc.constant(""),
      digits.map((fraction) => `.${fraction}`),
    ),
    fc.oneof(
      fc.constant(""),
      fc.integer({ min: -350, max: 350 }).map((exponent) => `e${exponent}`),
      fc.constantFrom("E+2", "e", "e-", "E05"),
    ),
    fc.constantFrom("", "", "", " ", "\0", "x", "é"),
  )
  .map((parts) => parts.join(""));

/** A text with one character taken out, doubled or replaced. */
const changed = fc
  .tuple(
    fc.oneof(isoText, numberText),
    fc.nat({ max: 40 }),
    fc.constantFrom("", "0", "-", ":", "\0", "é", "😀", "."),
  )
  .map(([text, at, put]) => text.slice(0, at) + put + text.slice(at + 1));

/** Around each power of ten and of two, where the units change and where doubles get coarse. */
const edge = fc
  .tuple(
    fc.constantFrom(
      ...Array.from({ length: 22 }, (_, power) => 10n ** BigInt(power)),
      ...[52n, 53n, 54n, 56n, 62n, 63n, 64n, 66n].map((power) => 2n ** power),
      62_135_596_800n,
      253_402_300_800n,
    ),
    fc.bigInt({ min: -1100n, max: 1100n }),
    fc.constantFrom(1n, -1n),
  )
  .map(([middle, by, sign]) => (middle + by) * sign);

const integer = fc
  .oneof(edge, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }))
  .map((wide) => BigInt.asIntN(64, wide));

const real = fc.oneof(
  fc.double({ noNaN: true }),
  fc.double({ noNaN: true, min: -1e21, max: 1e21 }),
  edge.map(Number),
  fc.tuple(edge, fc.double({ noNaN: true, min: -2, max: 2 })).map(([whole, part]) => Number(whole) + part),
  fc
    .tuple(fc.integer({ min: -(2 ** 31), max: 2 ** 31 }), fc.nat({ max: 4_000_000 }))
    .map(([seconds, parts]) => seconds + parts / 2e6),
);

nativeSuite("timestamp_micros in C", () => {
  it.each(["UTF-8", "UTF-16le", "UTF-16be"])("is that of TypeScript, in a database in %s", (encoding) => {
    const db = openMemory();
    loadNative(db);
    db.pragma(`encoding = '${encoding}'`);
    const call = db.prepare("SELECT timestamp_micros(?)").pluck();
    const value = fc.oneof(
      { weight: 3, arbitrary: isoText },
      { weight: 3, arbitrary: numberText },
      { weight: 2, arbitrary: edge.map(String) },
      { weight: 2, arbitrary: real.map(String) },
      { weight: 3, arbitrary: changed },
      { weight: 2, arbitrary: integer },
      { weight: 3, arbitrary: real },
      { weight: 1, arbitrary: fc.string({ unit: "grapheme" }) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(null, Buffer.from("2026-01-01"), "1".repeat(64), "1".repeat(65)),
      },
    );
    fc.assert(
      fc.property(value, (given) => {
        expect(call.get(given)).toBe(timestampMicros(given));
      }),
      { numRuns: 20_000 },
    );
  });

  it("is the one that queries use", () => {
    const db = openMemory();
    let called = 0;
    db.function("timestamp_micros", { directOnly: true }, () => called++);
    loadNative(db);
    const call = db.prepare("SELECT timestamp_micros('1970-01-01T00:00:01Z')").pluck();
    expect(call.get()).toBe(1_000_000n);
    expect(called).toBe(0);
  });

  it("finds no point in time in text whose bytes are not valid", () => {
    const db = openMemory();
    loadNative(db);
    const call = db.prepare("SELECT timestamp_micros(CAST(? AS TEXT))").pluck();
    for (const bytes of ["323032362d30312d3031ff", "ff", "31ff", "31323300", "2d2d2d2d2d2d2d2d"])
      expect(call.get(Buffer.from(bytes, "hex"))).toBeNull();
  });
});
