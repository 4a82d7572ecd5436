import fc from "fast-check";
import { expect, test } from "vitest";
import { stringify } from "yaml";
import { parseCondition } from "../../src/config/condition-schema.ts";
import { SETTING_ENTRIES } from "../../src/config/setting-table.ts";
import { parseTableSchema } from "../../src/config/table-schema.ts";
import { describeError, UploaderError } from "../../src/core/errors.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";
import { CWD, type Given, settingsOf } from "./configuration.ts";

const RUNS = fuzzRuns(500);

/** What loading ends in as text; anything thrown but an UploaderError is a failure. */
function outcome(given: Given): string {
  try {
    return typeof settingsOf(given);
  } catch (error) {
    if (!(error instanceof UploaderError)) throw error;
    expect(error.code).toBe("CONFIG_INVALID");
    return describeError(error);
  }
}

const yamlPaths = SETTING_ENTRIES.flatMap(([, { yaml }]) => (yaml === null ? [] : [yaml.split(".")]));
const keywords = [
  "$or",
  "$and",
  "$not",
  "in",
  ">",
  "=",
  "tables",
  "properties",
  "type",
  "required",
  "enum",
  "a",
  "__proto__",
  "constructor",
  "",
];
const key = fc.oneof(fc.constantFrom(...keywords, ...yamlPaths.flat()), fc.string());
const scalar = fc.oneof(fc.string(), fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.bigInt());
const { value: anything } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    scalar,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(key, tie("value"), { maxKeys: 4 }),
  ),
}));
/** Some settings, each with any value: what gets past the check of keys. */
const settings = fc
  .array(fc.tuple(fc.constantFrom(...yamlPaths), anything), { maxLength: 8 })
  .map((entries) => {
    const root: Record<string, unknown> = {};
    for (const [path, value] of entries) {
      let section = root;
      for (const segment of path.slice(0, -1)) {
        section[segment] ??= {};
        section = section[segment] as Record<string, unknown>;
      }
      section[path.at(-1) as string] = value;
    }
    return root;
  });

test("any object in YAML is settings or an error for the operator", () => {
  fc.assert(
    fc.property(fc.oneof(anything, settings), (value) => {
      outcome({ yaml: stringify(value) });
    }),
    RUNS,
  );
});

test("so is any text, and any change to a right one", () => {
  const right =
    "sqlite: a.db\ns3_configuration: {enabled: false}\nemergency:\n  filter: {$or: [{a: 1}, {b: {in: [1, 2]}}]}\n";
  const changed = fc
    .tuple(
      fc.nat(right.length),
      fc.nat(3),
      fc.oneof(fc.string(), fc.constantFrom(..."[]{}&*!|>%@`'\"#\t\n: -?,")),
    )
    .map(([at, count, text]) => right.slice(0, at) + text + right.slice(at + count));
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), changed), (yaml) => {
      outcome({ yaml });
    }),
    RUNS,
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
      outcome({ argv: { config: "x" }, files: { [`${CWD}/x`]: bytes } });
    }),
    RUNS,
  );
});

test("so are any texts in variables and flags", () => {
  const names = SETTING_ENTRIES.flatMap(([, { env }]) => env);
  const flags = SETTING_ENTRIES.flatMap(([, { flag }]) => (flag === null ? [] : [flag]));
  const text = fc.oneof(
    fc.string(),
    fc.string({ unit: "binary" }),
    fc.constantFrom("", "1", "-1", "true", "*", "NaN", "1e999"),
  );
  const given = fc.oneof(text, fc.boolean(), fc.array(text, { maxLength: 3 }));
  fc.assert(
    fc.property(
      fc.dictionary(fc.constantFrom(...names), text),
      fc.dictionary(fc.constantFrom(...flags), given),
      (env, argv) => {
        outcome({ env, argv });
      },
    ),
    RUNS,
  );
});

test("a secret is never in a message, whatever key it stands under", () => {
  const secret = "Zq9/wJalrXUtnFEMI+K7MDENGbPxRfiCYEXAMPLE";
  const short = "hunter2hunter2";
  const credentialKey = fc.constantFrom(
    ...[
      "aws_access_key_id",
      "aws_secret_access_key",
      "AWS_SESSION_TOKEN",
      "secretAccessKey",
      "password",
      "api_key",
      "databricks_token",
    ],
  );
  const value = (text: string) =>
    fc.constantFrom<unknown>(text, [text], { id: text }, { nested: [{ deep: text }] });
  // The path of a schema's file is a name that the message about the file has to give.
  const places = yamlPaths.filter((path) => path.join(".") !== "schematized.schema");
  fc.assert(
    fc.property(
      settings,
      fc.constantFrom(...places),
      value(secret),
      fc.constantFrom(
        [],
        ["s3_configuration"],
        ["s3_configuration", "buckets"],
        ["schematized", "enrich"],
        ["x", "y"],
      ),
      credentialKey,
      value(short),
      (root, place, long, section, name, hidden) => {
        put(root, place, long);
        put(root, [...section, name], hidden);
        const text = outcome({
          yaml: stringify(root),
          env: { AWS_SECRET_ACCESS_KEY: secret, AWS_REGION: secret },
        });
        expect(text).toMatch(/^The configuration has/);
        expect(text).not.toContain(secret);
        expect(text).not.toContain(short);
        expect(text).toContain("credentials do not belong in the file");
      },
    ),
    RUNS,
  );
});

function put(root: Record<string, unknown>, path: readonly string[], value: unknown): void {
  let section = root;
  for (const segment of path.slice(0, -1)) {
    const inner = section[segment];
    if (typeof inner !== "object" || inner === null || Array.isArray(inner)) section[segment] = {};
    section = section[segment] as Record<string, unknown>;
  }
  section[path.at(-1) as string] = value;
}

test("the checks of conditions and schemas end for any value, and take nothing that they report", () => {
  fc.assert(
    fc.property(anything, (value) => {
      for (const parse of [parseCondition, parseTableSchema]) {
        let reported = 0;
        const result = parse(value, () => {
          reported += 1;
        });
        expect(result === null).toBe(reported > 0);
      }
    }),
    RUNS,
  );
});
