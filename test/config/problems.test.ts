import { describe, expect, test } from "vitest";
import { describeError, UploaderError } from "../../src/core/errors.ts";
import { CONFIG, type Given, localSettingsOf, problemsOf, settingsOf } from "./configuration.ts";

const at = (line: number): string => `(${CONFIG}:${line})`;

test("every problem is reported at once, with its key and where it came from", () => {
  const given: Given = {
    yaml: "interval: soon\nmax_batch_size: 0.5\nsqlite_table: 7\n",
    env: { OUTBOX_MAX_MB: "much", LOG_LEVEL: "loud" },
    argv: { "node-id": "" },
  };
  let error: unknown;
  try {
    settingsOf(given);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(UploaderError);
  expect(error).toMatchObject({ code: "CONFIG_INVALID", exitCode: 2 });
  expect(describeError(error)).toBe(`The configuration has 9 problems:
  sqlite_table: must be a list of tables, not 7 ${at(3)}
  node_id: must be a name for this machine, not an empty text (flag --node-id)
  interval: must be a number from 0.1 to 86400, not "soon" ${at(1)}
  max_batch_size: must be a whole number from 1 to 100000000, not 0.5 ${at(2)}
  outbox_max_mb: must be a number from 0.01 to 10000000, not "much" (environment variable OUTBOX_MAX_MB)
  LOG_LEVEL: must be one of fatal, error, warn, info, debug, trace, not "loud" (environment variable LOG_LEVEL)
  sqlite: is required: the SQLite database that the sensor writes; set it in the file, in SQLITE_PATH or with --sqlite
  s3_configuration.region: is required to ship to S3; set it in the file, or in S3_REGION or AWS_REGION (or ship to a folder: --directory DIR, or s3_configuration.enabled: false)
  s3_configuration.prefix: is required for the names of the buckets of raw, schematized, aggregated, emergency; set it in the file or in S3_BUCKET_PREFIX, or name each bucket in s3_configuration.buckets
Correct each in the place that stands behind it; the configuration reference in README.md lists every setting.`);
});

interface Line {
  readonly yaml: string;
  readonly line: string;
}

describe("a wrong value", () => {
  const lines: readonly Line[] = [
    { yaml: "interval: 0.05", line: `interval: must be a number from 0.1 to 86400, not 0.05 ${at(1)}` },
    { yaml: "interval: .nan", line: `interval: must be a number from 0.1 to 86400, not NaN ${at(1)}` },
    { yaml: 'interval: "30"', line: `interval: must be a number from 0.1 to 86400, not "30" ${at(1)}` },
    { yaml: "interval: [30]", line: `interval: must be a number from 0.1 to 86400, not a list ${at(1)}` },
    {
      yaml: "node_id: 42",
      line: `node_id: must be a name for this machine, not 42; put quotes around it ${at(1)}`,
    },
    { yaml: 'node_id: " "', line: `node_id: must be a name for this machine, not " " ${at(1)}` },
    {
      yaml: 'node_id: "a\\nb"',
      line: `node_id: must be a name for this machine, without control characters ${at(1)}`,
    },
    {
      yaml: 'sqlite: "a\\0b"',
      line: `sqlite: must be the path of the SQLite database that the sensor writes, without control characters ${at(1)}`,
    },
    {
      yaml: "enable_auto_detection: yes",
      line: `enable_auto_detection: must be true or false, not "yes" ${at(1)}`,
    },
    {
      yaml: "s3_compression: lzo",
      line: `s3_compression: must be one of snappy, zstd, gzip, none, not "lzo" ${at(1)}`,
    },
    {
      yaml: "sqlite_table: []",
      line: `sqlite_table: must be a table, a list of tables or "*", not an empty list ${at(1)}`,
    },
    { yaml: "sqlite_table: [a, A]", line: `sqlite_table: names "A" twice ${at(1)}` },
    {
      yaml: 'sqlite_table: [a, "*"]',
      line: `sqlite_table: names "*", which is all tables, beside others ${at(1)}`,
    },
    {
      yaml: "sqlite_table:\n  - a\n  - 5",
      line: `sqlite_table[1]: must be a name, not 5; put quotes around it ${at(3)}`,
    },
    {
      yaml: "aggregated:\n  window: 1.5",
      line: `aggregated.window: must be a whole number of seconds from 1 to 604800, or a text such as 60s, 5m or 1h, not 1.5 ${at(2)}`,
    },
    {
      yaml: "aggregated: {window: 8d}",
      line: `aggregated.window: must be a whole number of seconds from 1 to 604800, or a text such as 60s, 5m or 1h, not "8d" ${at(1)}`,
    },
    {
      yaml: "aggregated: {group_by: a}",
      line: `aggregated.group_by: must be a list of columns, not "a" ${at(1)}`,
    },
    {
      yaml: "s3_configuration: {sse: none}",
      line: `s3_configuration.sse: must be one of AES256, aws:kms, not "none" ${at(1)}`,
    },
    {
      yaml: "s3_configuration: {storage_class: GLACIER}",
      line: `s3_configuration.storage_class: must be one of STANDARD, STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING, GLACIER_IR, REDUCED_REDUNDANCY, not "GLACIER" ${at(1)}`,
    },
    {
      yaml: "s3_configuration: {region: US West}",
      line: `s3_configuration.region: must be a region such as us-west-2, not "US West" ${at(1)}`,
    },
    {
      yaml: "schematized: {enrich: [a]}",
      line: `schematized.enrich: must be a mapping of names to texts, numbers, true or false, not a list ${at(1)}`,
    },
    {
      yaml: "schematized:\n  enrich:\n    a: 1\n    b: [1]",
      line: `schematized.enrich.b: must be a text, a number, true or false, not a list ${at(4)}`,
    },
    {
      yaml: "schematized: {enrich: {_x: 1}}",
      line: `schematized.enrich._x: must not begin with _, as the uploader's own columns do ${at(1)}`,
    },
    {
      yaml: "schematized: {enrich: {Ingest_Date: 1}}",
      line: `schematized.enrich.Ingest_Date: is the name of the partition column ${at(1)}`,
    },
    {
      yaml: "schematized: {enrich: {a b: 1}}",
      line: `schematized.enrich."a b": must be free of blanks, tabs, line breaks and , ; { } ( ) =, which Spark refuses ${at(1)}`,
    },
    {
      yaml: "schematized: {enrich: {a: 1, A: 2}}",
      line: `schematized.enrich.A: is there twice; case makes no difference in names of columns ${at(1)}`,
    },
    {
      yaml: "emergency: 5",
      line: `emergency: must be a section, with its settings indented below it ${at(1)}`,
    },
    {
      yaml: "emergency:\n  filter:\n    $or:\n      - a: {'=>': 1}",
      line: `emergency.filter.$or[0].a."=>": is not one of the comparisons = != < <= > >= in not_in; did you mean >=? ${at(4)}`,
    },
  ];

  test.each(lines)("$yaml", ({ yaml, line }) => {
    expect(problemsOf({ yaml })).toEqual([line]);
  });
});

describe("an unknown key", () => {
  const lines: readonly Line[] = [
    { yaml: "intervall: 3", line: `intervall: is not a setting; did you mean interval? ${at(1)}` },
    { yaml: "nteravl: 3", line: `nteravl: is not a setting; did you mean interval? ${at(1)}` },
    { yaml: "Sqlite_Table: a", line: `Sqlite_Table: is not a setting; did you mean sqlite_table? ${at(1)}` },
    { yaml: "region: a", line: `region: is not a setting; did you mean s3_configuration.region? ${at(1)}` },
    {
      yaml: "s3_region: a",
      line: `s3_region: is not a setting; did you mean s3_configuration.region? ${at(1)}`,
    },
    {
      yaml: "s3_bucket_prefix: a",
      line: `s3_bucket_prefix: is not a setting; did you mean s3_configuration.prefix? ${at(1)}`,
    },
    { yaml: "table: a", line: `table: is not a setting; did you mean sqlite_table? ${at(1)}` },
    {
      yaml: "emergency:\n  intreval: 1",
      line: `emergency.intreval: is not a setting; did you mean emergency.interval? ${at(2)}`,
    },
    { yaml: "s3_config: {enabled: true}", line: `s3_config: is not a setting ${at(1)}` },
    { yaml: "constructor: 1", line: `constructor: is not a setting ${at(1)}` },
    { yaml: "toString: 1", line: `toString: is not a setting ${at(1)}` },
    { yaml: '"\\u001b[31mred": 1', line: `"\\u001b[31mred": is not a setting ${at(1)}` },
  ];

  test.each(lines)("$yaml", ({ yaml, line }) => {
    expect(problemsOf({ yaml })).toEqual([line]);
  });
});

describe("what contradicts itself", () => {
  const loose = "enable_auto_detection: false\n";
  const table = "sqlite_table: must be named, since enable_auto_detection is false";
  const column = "timestamp_col: must be named, since enable_auto_detection is false";

  test("no detection, and nothing named", () => {
    expect(problemsOf({ yaml: loose })).toEqual([`${table} ${at(1)}`, `${column} ${at(1)}`]);
    expect(problemsOf({ yaml: `${loose}timestamp_col: t\nsqlite_table: "*"` })).toEqual([
      `${table} ${at(3)}`,
    ]);
    expect(problemsOf({ yaml: `${loose}timestamp_col: t`, argv: { table: "a" } })).toEqual([]);
  });

  test("an outbox that cannot hold one object", () => {
    expect(problemsOf({ yaml: "s3_batch_size_mb: 64", env: { OUTBOX_MAX_MB: "63" } })).toEqual([
      "outbox_max_mb: is 63, too small for one object of s3_batch_size_mb 64 (environment variable OUTBOX_MAX_MB)",
    ]);
    expect(problemsOf({ yaml: "s3_batch_size_mb: 64\noutbox_max_mb: 64" })).toEqual([]);
  });

  test("no node id and no hostname", () => {
    expect(problemsOf({ hostname: "" })).toEqual([
      "node_id: is required, since this machine has no hostname",
    ]);
    expect(problemsOf({ hostname: "", env: { NODE_ID: "n" } })).toEqual([]);
  });
});

describe("a flag or variable", () => {
  test.each([
    [
      { argv: { interval: "1x" } },
      'interval: must be a number from 0.1 to 86400, not "1x" (flag --interval)',
    ],
    [
      { argv: { interval: "0x10" } },
      'interval: must be a number from 0.1 to 86400, not "0x10" (flag --interval)',
    ],
    [
      { argv: { interval: ["1", "2"] } },
      "interval: must be a number from 0.1 to 86400, not a list (flag --interval)",
    ],
    [{ argv: { table: "a,,b" } }, "sqlite_table[1]: must be a name, not an empty text (flag --table)"],
    [{ argv: { config: "" } }, "configuration file: must be the path of a file (flag --config)"],
    [{ argv: { config: ["a", "b"] } }, "configuration file: is given more than once (flag --config)"],
    [{ env: { ONCE: "maybe" } }, 'ONCE: must be true or false, not "maybe" (environment variable ONCE)'],
    [
      { env: { S3_ENABLED: "2" } },
      's3_configuration.enabled: must be true or false, not "2" (environment variable S3_ENABLED)',
    ],
  ] as const)("%j", (given, line) => {
    expect(problemsOf(given)).toEqual([line]);
  });
});

describe("a credential in the file", () => {
  const secret = "wJalrXUtnFEMI";

  test.each([
    ["aws_access_key_id: SECRET", "aws_access_key_id", 1],
    ["aws_secret_access_key: SECRET", "aws_secret_access_key", 1],
    ["s3_configuration:\n  secretAccessKey: SECRET", "s3_configuration.secretAccessKey", 2],
    ["s3_configuration:\n  buckets:\n    session_token: SECRET", "s3_configuration.buckets.session_token", 3],
    ["schematized: {enrich: {api-key: SECRET}}", "schematized.enrich.api-key", 1],
    ["databricks_token:\n  - SECRET", "databricks_token", 1],
    ["password: {value: SECRET}", "password", 1],
    ["aws_secret_access_key=SECRET:", "aws_secret_access_key", 1],
  ])("%s is refused, and its value not repeated", (yaml, key, line) => {
    const problems = problemsOf({ yaml: yaml.replace("SECRET", secret) });
    expect(problems).toEqual([
      `${key}: credentials do not belong in the file; take it out and leave them to AWS's default chain (environment, profile, web identity, container or instance role) ${at(line)}`,
    ]);
  });

  test("below an unknown key is found as well", () => {
    const problems = problemsOf({ yaml: `aws:\n  - profile: x\n    secret: ${secret}` });
    expect(problems).toEqual([
      `aws: is not a setting ${at(1)}`,
      expect.stringContaining("aws.secret: credentials do not belong in the file"),
    ]);
    expect(problems.join()).not.toContain(secret);
  });

  test("is not seen in the name of a column or in kms_key_id", () => {
    const yaml =
      "emergency: {filter: {token: 1}}\nschematized: {schema: {properties: {password: {type: string}}}}";
    expect(problemsOf({ yaml })).toEqual([]);
    expect(problemsOf({ yaml: "s3_configuration: {kms_key_id: k, sse: aws:kms}" })).toEqual([]);
  });

  test("that stands where something else belongs is not shown either", () => {
    const long = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    expect(problemsOf({ yaml: `interval: ${long}\ns3_compression: ${long}` })).toEqual([
      `interval: must be a number from 0.1 to 86400, not a text of 40 characters ${at(1)}`,
      `s3_compression: must be one of snappy, zstd, gzip, none, not a text of 40 characters ${at(2)}`,
    ]);
  });
});

test("ten thousand problems are not all shown", () => {
  const yaml = Array.from({ length: 10_000 }, (_, index) => `xyz${index}: 1`).join("\n");
  const problems = problemsOf({ yaml }, localSettingsOf);
  expect(problems).toHaveLength(51);
  expect(problems.at(-1)).toBe("… and 9950 more");
});
