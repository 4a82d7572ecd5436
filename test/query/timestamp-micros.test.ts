import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EARLIEST_MICROS, LATEST_MICROS, timestampMicros } from "../../src/sqlite/timestamp-micros.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";
import { openMemory } from "./tables.ts";

const NEW_YEAR = 1_767_225_600_000_000n; // 2026-01-01T00:00:00Z

describe("timestamp_micros", () => {
  it.each([
    ["2026-01-01", NEW_YEAR],
    ["2026-01-01T00:00", NEW_YEAR],
    ["2026-01-01t00:00:01", NEW_YEAR + 1_000_000n],
    ["2026-01-01 00:00:00.5", NEW_YEAR + 500_000n],
    ["2026-01-01T00:00:00,25Z", NEW_YEAR + 250_000n],
    ["2026-01-01T00:00:00.1234567899z", NEW_YEAR + 123_456n],
    ["2026-01-01T02:00:00+02:00", NEW_YEAR],
    ["2026-01-01T02:00:00+0200", NEW_YEAR],
    ["2026-01-01T02:00+02", NEW_YEAR],
    ["2025-12-31T18:30:00-05:30", NEW_YEAR],
    ["1969-12-31T23:59:59.9999999Z", -1n],
    ["0001-01-01T00:00:00Z", EARLIEST_MICROS],
    ["9999-12-31T23:59:59.999999Z", LATEST_MICROS],
    ["2024-02-29", 1_709_164_800_000_000n],
    ["1767225600", NEW_YEAR],
    ["-1.5", -1_500_000n],
    ["+1767225600.25", NEW_YEAR + 250_000n],
    ["1767225600000", NEW_YEAR],
    ["1.5e-3", 1_500n],
    [1_767_225_600n, NEW_YEAR],
    [1_767_225_600_000n, NEW_YEAR],
    [1_767_225_600_000_000n, NEW_YEAR],
    [1_767_225_600_000_000_000n, NEW_YEAR],
    [1_767_225_600.000001, NEW_YEAR + 1n],
    [1_767_225_600_000.5, NEW_YEAR + 500n],
    [1.7672256e18, NEW_YEAR],
    [-1_767_225_600_000n, -NEW_YEAR],
    [-1_767_225_600_000_000_001n, -NEW_YEAR - 1n],
    [99_999_999_999n, 99_999_999_999_000_000n],
    [100_000_000_000n, 100_000_000_000_000n],
    [99_999_999_999_999n, 99_999_999_999_999_000n],
    [100_000_000_000_000n, 100_000_000_000_000n],
    [99_999_999_999_999_999n, 99_999_999_999_999_999n],
    [100_000_000_000_000_000n, 100_000_000_000_000n],
    [0n, 0n],
    [-0.000001, -1n],
  ])("reads %s as %s", (value, micros) => {
    expect(timestampMicros(value)).toBe(micros);
  });

  it.each([
    "",
    " ",
    "yesterday",
    "2026-1-1",
    "2026-13-01",
    "2026-00-10",
    "2026-02-29",
    "1900-02-29",
    "2026-04-31",
    "2026-01-00",
    "2026-01-01T",
    "2026-01-01T24:00:00",
    "2026-01-01T00:60",
    "2026-01-01T23:59:60Z",
    "2026-01-01T00:00:00.",
    "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00+",
    "2026-01-01T00:00:00+1",
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00+02:60",
    "2026-01-01T00:00:00ZZ",
    "2026-01-01T00:00:00 Z",
    "2026-01-01T00:00:00\0",
    "2026-01-01\u000000:00:00",
    "2026-01-01x00:00:00",
    " 2026-01-01",
    "2026-01-01T0:00:00",
    "2026/01/01",
    "0000-12-31",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "-001-01-01",
    "1e30",
    "1".repeat(100),
    "0x10",
    "Infinity",
    "NaN",
    Infinity,
    -Infinity,
    Number.NaN,
    1e20,
    null,
    undefined,
    Buffer.from("2026-01-01"),
    -90_000_000_000n,
  ])("finds no point in time in %s", (value) => {
    expect(timestampMicros(value)).toBeNull();
  });

  const seconds = fc.integer({
    min: Number(EARLIEST_MICROS / 1_000_000n),
    max: Number(LATEST_MICROS / 1_000_000n),
  });

  it("agrees with Date on any text of any date, fraction and offset", () => {
    const offset = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 });
    const fraction = fc.string({ unit: fc.constantFrom(..."0123456789"), minLength: 0, maxLength: 15 });
    const form = fc.record({
      separator: fc.constantFrom("T", "t", " "),
      zone: fc.constantFrom("colon", "none", "plain"),
    });
    fc.assert(
      fc.property(seconds, offset, fraction, form, (utc, offsetMinutes, digits, { separator, zone }) => {
        const shift = zone === "none" ? 0 : offsetMinutes;
        const local = new Date((utc + shift * 60) * 1000);
        fc.pre(local.getUTCFullYear() >= 1 && local.getUTCFullYear() <= 9999);
        const clock = local.toISOString().slice(0, 19).replace("T", separator);
        const size = Math.abs(shift);
        const pad = (number: number) => String(number).padStart(2, "0");
        const zoneText = `${shift < 0 ? "-" : "+"}${pad(Math.floor(size / 60))}${zone === "colon" ? ":" : ""}${pad(size % 60)}`;
        const text = `${clock}${digits && `.${digits}`}${zone === "none" ? "" : zoneText}`;
        const micros = BigInt(utc) * 1_000_000n + BigInt(digits.slice(0, 6).padEnd(6, "0"));
        expect(timestampMicros(text), text).toBe(micros);
      }),
      fuzzRuns(1000),
    );
  });

  it("refuses the days that Date would carry into the next month", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9999 }),
        fc.nat({ max: 13 }),
        fc.nat({ max: 32 }),
        (year, month, day) => {
          const pad = (number: number, length: number) => String(number).padStart(length, "0");
          const text = `${pad(year, 4)}-${pad(month, 2)}-${pad(day, 2)}`;
          const date = new Date(`${text}T00:00:00Z`);
          const exists = !Number.isNaN(date.getTime()) && date.toISOString().startsWith(text);
          expect(timestampMicros(text), text).toBe(exists ? BigInt(date.getTime()) * 1000n : null);
        },
      ),
      fuzzRuns(1000),
    );
  });

  it("reads an epoch alike as integer, real and text", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 53n), max: 2n ** 53n }), (epoch) => {
        const micros = timestampMicros(epoch);
        expect(timestampMicros(String(epoch))).toBe(micros);
        expect(timestampMicros(Number(epoch))).toBe(micros);
      }),
    );
  });

  it("never throws, and stays within the years 0001 to 9999", () => {
    const looksLikeOne = fc.string({ unit: fc.constantFrom(..."0123456789-:T.Z+ "), maxLength: 30 });
    const value = fc.oneof(
      looksLikeOne,
      fc.string(),
      fc.double(),
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    );
    fc.assert(
      fc.property(value, (given) => {
        const micros = timestampMicros(given);
        if (micros !== null) expect(micros >= EARLIEST_MICROS && micros <= LATEST_MICROS).toBe(true);
      }),
    );
  });

  it("is a function of SQL that gives integers", () => {
    const row = openMemory()
      .prepare(
        "SELECT timestamp_micros('2026-01-01'), typeof(timestamp_micros(1767225600.5)), timestamp_micros(X'00')",
      )
      .raw()
      .get();
    expect(row).toEqual([NEW_YEAR, "integer", null]);
  });
});
