import { expect, test } from "vitest";
import { bucketNameFault, bucketNames } from "../../src/config/bucket-names.ts";

test.each(["abc", "a-b.c", "123", "expanso-databricks-schematized-us-west-2", "a".repeat(63)])(
  "%s is a bucket",
  (name) => {
    expect(bucketNameFault(name)).toBeNull();
  },
);

test.each([
  ["ab", "must have 3 to 63 characters, not 2"],
  ["a".repeat(64), "must have 3 to 63 characters, not 64"],
  ["Abc", "may hold only lower-case letters, digits, dots and hyphens"],
  ["a_b", "may hold only lower-case letters, digits, dots and hyphens"],
  ["a/b", "may hold only lower-case letters, digits, dots and hyphens"],
  ["abc\n", "may hold only lower-case letters, digits, dots and hyphens"],
  ["-abc", "must begin and end with a letter or a digit"],
  ["abc.", "must begin and end with a letter or a digit"],
  ["a..b", "must not hold two dots in a row"],
  ["192.168.5.4", "must not look like an IP address"],
  ["xn--abc", "must not begin with xn--, which AWS reserves"],
  ["abc-s3alias", "must not end with -s3alias, which AWS reserves"],
])("%j is none", (name, fault) => {
  expect(bucketNameFault(name)).toBe(fault);
});

test("names are as given, else derived, else unknown", () => {
  const given = { raw: "mine", schematized: null, aggregated: null, emergency: null };
  expect(bucketNames(given, "p", "r")).toEqual({
    raw: "mine",
    schematized: "p-databricks-schematized-r",
    aggregated: "p-databricks-aggregated-r",
    emergency: "p-databricks-emergency-r",
  });
  expect(bucketNames(given, "p", null)).toEqual(given);
  expect(bucketNames(given, null, "r")).toEqual(given);
});
