import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { safeName } from "../../src/core/names.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";

const anyName = fc.string({ unit: "binary", maxLength: 100 });

describe("safeName", () => {
  it.each(["a", "9", "sensor_readings", "Edge-1.plant.example.com", "a".repeat(64)])(
    "leaves %s as it is",
    (name) => {
      expect(safeName(name)).toBe(name);
    },
  );

  it.each([
    ["", /^x-[0-9a-f]{8}$/],
    ["sensor readings", /^sensor_readings-[0-9a-f]{8}$/],
    ["Temperaturfühler", /^Temperaturf_hler-[0-9a-f]{8}$/],
    ["😀", /^x_-[0-9a-f]{8}$/],
    ["100%", /^100_-[0-9a-f]{8}$/],
    ["../../etc/passwd", /^x\.\._\.\._etc_passwd-[0-9a-f]{8}$/],
    ["_spark_hides_this", /^x_spark_hides_this-[0-9a-f]{8}$/],
    [".so_too", /^x\.so_too-[0-9a-f]{8}$/],
    ["-looks-like-a-flag", /^x-looks-like-a-flag-[0-9a-f]{8}$/],
    ["a".repeat(65), /^a{55}-[0-9a-f]{8}$/],
  ])("changes %j, and says which name it was by a hash", (name, expected) => {
    expect(safeName(name)).toMatch(expected);
  });

  it("is at most 64 letters, digits, dots, underscores and hyphens, the first a letter or a digit", () => {
    fc.assert(
      fc.property(anyName, (name) => {
        expect(safeName(name)).toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/);
      }),
      fuzzRuns(100),
    );
  });

  it("leaves what is safe as it is, so that the parts of a key make the same key again", () => {
    fc.assert(
      fc.property(anyName, (name) => {
        expect(safeName(safeName(name))).toBe(safeName(name));
      }),
      fuzzRuns(100),
    );
  });

  it("keeps different names apart", () => {
    fc.assert(
      fc.property(anyName, anyName, (one, other) => {
        fc.pre(one !== other);
        expect(safeName(one)).not.toBe(safeName(other));
      }),
      fuzzRuns(100),
    );
    const alike = [
      "a b",
      "a/b",
      "a_b",
      "a:b",
      "a b ",
      "ä_b",
      "_a_b",
      "x_a_b",
      "A b",
      "a".repeat(65),
      "a".repeat(66),
    ];
    expect(new Set(alike.map(safeName)).size).toBe(alike.length);
  });
});
