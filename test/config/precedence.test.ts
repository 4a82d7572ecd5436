import { describe, expect, test } from "vitest";
import type { Settings } from "../../src/config/settings.ts";
import { CONFIG, CWD, localSettingsOf, problemsOf, settingsOf } from "./configuration.ts";

interface Case {
  readonly name: string;
  readonly read: (settings: Settings) => unknown;
  readonly fallback: unknown;
  readonly yaml?: readonly [text: string, value: unknown];
  /** From the weakest to the strongest. */
  readonly env?: readonly (readonly [name: string, text: string, value: unknown])[];
  readonly flag?: readonly [name: string, given: unknown, value: unknown];
}

const bucket = (type: "raw" | "schematized" | "aggregated" | "emergency"): Case => ({
  name: `s3_configuration.buckets.${type}`,
  read: ({ sink }) => sink.buckets[type],
  fallback: `local-databricks-${type}-local`,
  yaml: [`s3_configuration: {buckets: {${type}: from-file}}`, "from-file"],
  env: [[`S3_BUCKET_${type.toUpperCase()}`, "from-env", "from-env"]],
});

const cases: readonly Case[] = [
  {
    name: "sqlite_table",
    read: ({ tables }) => tables,
    fallback: null,
    yaml: ["sqlite_table: [a, b]", ["a", "b"]],
    env: [["SQLITE_TABLE_NAME", "c, d", ["c", "d"]]],
    flag: ["table", "*", "*"],
  },
  {
    name: "timestamp_col",
    read: ({ timestampColumn }) => timestampColumn,
    fallback: null,
    yaml: ["timestamp_col: a", "a"],
    env: [["TIMESTAMP_COL", "b", "b"]],
    flag: ["timestamp-col", "c", "c"],
  },
  {
    name: "pipeline_db",
    read: ({ pipelineDbPath }) => pipelineDbPath,
    fallback: null,
    yaml: ["pipeline_db: a.db2", `${CWD}/a.db2`],
    env: [["PIPELINE_DB", "b.db", `${CWD}/b.db`]],
    flag: ["pipeline-db", "/c.db", "/c.db"],
  },
  {
    name: "node_id",
    read: ({ nodeId }) => nodeId,
    fallback: "machine-1",
    yaml: ["node_id: a", "a"],
    env: [["NODE_ID", "b", "b"]],
    flag: ["node-id", "c", "c"],
  },
  {
    name: "state_dir",
    read: ({ stateDir }) => stateDir,
    fallback: `${CWD}/state/s3-uploader`,
    yaml: ["state_dir: a", `${CWD}/a`],
    env: [["STATE_DIR", "b", `${CWD}/b`]],
    flag: ["state-dir", "c", `${CWD}/c`],
  },
  {
    name: "interval",
    read: ({ intervalSeconds }) => intervalSeconds,
    fallback: 30,
    yaml: ["interval: 1", 1],
    env: [["UPLOAD_INTERVAL", "2.5", 2.5]],
    flag: ["interval", "0.1", 0.1],
  },
  {
    name: "max_batch_size",
    read: ({ maxBatchRows }) => maxBatchRows,
    fallback: 1_000_000,
    yaml: ["max_batch_size: 500", 500],
    env: [["MAX_BATCH_SIZE", "7", 7]],
    flag: ["max-batch-size", "1e3", 1000],
  },
  {
    name: "outbox_max_mb",
    read: ({ outboxMaxBytes }) => outboxMaxBytes,
    fallback: 1024 ** 3,
    yaml: ["outbox_max_mb: 100", 100 * 1024 ** 2],
    env: [["OUTBOX_MAX_MB", "64", 64 * 1024 ** 2]],
  },
  {
    name: "s3_batch_size_mb",
    read: ({ targetObjectBytes }) => targetObjectBytes,
    fallback: 50 * 1024 ** 2,
    yaml: ["s3_batch_size_mb: 0.5", 512 * 1024],
  },
  {
    name: "s3_compression",
    read: ({ compression }) => compression,
    fallback: "snappy",
    yaml: ["s3_compression: none", "none"],
  },
  bucket("raw"),
  bucket("schematized"),
  bucket("aggregated"),
  bucket("emergency"),
  {
    name: "s3_configuration.prefix",
    read: ({ sink }) => sink.buckets.raw,
    fallback: "local-databricks-raw-local",
    yaml: ["s3_configuration: {prefix: a}", "a-databricks-raw-local"],
    env: [
      ["S3_PREFIX", "b", "b-databricks-raw-local"],
      ["S3_BUCKET_PREFIX", "c", "c-databricks-raw-local"],
    ],
  },
  {
    name: "emergency.filter",
    read: ({ queries }) => queries.emergency.filter,
    fallback: { anomaly_flag: 1 },
    yaml: ['emergency: {filter: {a: {">": 80}}}', { a: { ">": 80 } }],
  },
  {
    name: "emergency.interval",
    read: ({ emergencyIntervalSeconds }) => emergencyIntervalSeconds,
    fallback: 1,
    yaml: ["emergency: {interval: 0.5}", 0.5],
  },
  {
    name: "schematized.enrich",
    read: ({ queries }) => queries.schematized.enrich,
    fallback: {},
    yaml: [
      "schematized: {enrich: {site: plant-1, line: 7, live: true}}",
      { site: "plant-1", line: 7, live: true },
    ],
  },
  {
    name: "aggregated.window",
    read: ({ queries }) => queries.aggregated.windowSeconds,
    fallback: 60,
    yaml: ["aggregated: {window: 5m}", 300],
  },
  {
    name: "aggregated.group_by",
    read: ({ queries }) => queries.aggregated.groupBy,
    fallback: null,
    yaml: ["aggregated: {group_by: [a]}", ["a"]],
  },
  {
    name: "aggregated.metrics",
    read: ({ queries }) => queries.aggregated.metrics,
    fallback: null,
    yaml: ["aggregated: {metrics: [t, h]}", ["t", "h"]],
  },
  {
    name: "once",
    read: ({ once }) => once,
    fallback: false,
    env: [["ONCE", "true", true]],
    flag: ["once", false, false],
  },
  { name: "dry run", read: ({ dryRun }) => dryRun, fallback: false, flag: ["dry-run", true, true] },
  {
    name: "log level",
    read: ({ logLevel }) => logLevel,
    fallback: "info",
    env: [["LOG_LEVEL", "WARN", "warn"]],
    flag: ["debug", true, "debug"],
  },
];

describe.each(cases)("$name", ({ read, fallback, yaml, env = [], flag }) => {
  test("has its default", () => {
    expect(read(localSettingsOf({}))).toEqual(fallback);
    expect(read(localSettingsOf({ yaml: "" }))).toEqual(fallback);
  });

  test("comes from the file, then from each variable, then from the flag", () => {
    const given = { ...(yaml && { yaml: yaml[0] }), env: {} as Record<string, string> };
    if (yaml) expect(read(localSettingsOf(given))).toEqual(yaml[1]);
    for (const [name, text, value] of env) {
      given.env[name] = text;
      expect(read(localSettingsOf(given))).toEqual(value);
    }
    if (flag) expect(read(localSettingsOf({ ...given, argv: { [flag[0]]: flag[1] } }))).toEqual(flag[2]);
  });

  test("an empty variable counts as unset", () => {
    const empty = Object.fromEntries(env.map(([name], index) => [name, index % 2 === 0 ? "" : "  \r"]));
    expect(read(localSettingsOf({ env: empty, ...(yaml && { yaml: yaml[0] }) }))).toEqual(
      yaml ? yaml[1] : fallback,
    );
  });
});

test("the database comes from the file, SENSOR_DB_PATH, SQLITE_PATH, --sqlite", () => {
  const yaml = "sqlite: data/a.db\ns3_configuration: {enabled: false}";
  const path = (env: Record<string, string>, argv = {}) => settingsOf({ yaml, env, argv }).sqlitePath;
  expect(path({})).toBe(`${CWD}/data/a.db`);
  expect(path({ SENSOR_DB_PATH: "../b.db" })).toBe("/srv/b.db");
  expect(path({ SENSOR_DB_PATH: "../b.db", SQLITE_PATH: "/c.db" })).toBe("/c.db");
  expect(path({ SQLITE_PATH: "/c.db" }, { sqlite: "d.db" })).toBe(`${CWD}/d.db`);
});

test.each(["true", "TRUE", "1", "yes", "Yes"])("ONCE=%s ships once", (text) => {
  expect(localSettingsOf({ env: { ONCE: text } }).once).toBe(true);
});

test.each(["false", "False", "0", "no", "NO"])("ONCE=%s runs on", (text) => {
  expect(localSettingsOf({ env: { ONCE: text } }).once).toBe(false);
});

test("--no-debug leaves the level to LOG_LEVEL", () => {
  expect(localSettingsOf({ env: { LOG_LEVEL: "trace" }, argv: { debug: false } }).logLevel).toBe("trace");
});

test("a table given several times, or a list in the file, is a list; * alone is all", () => {
  expect(localSettingsOf({ argv: { table: ["a", "b,c"] } }).tables).toEqual(["a", "b", "c"]);
  expect(localSettingsOf({ yaml: 'sqlite_table: ["*"]' }).tables).toBe("*");
  expect(localSettingsOf({ yaml: "sqlite_table: a,b" }).tables).toEqual(["a,b"]);
});

test.each([
  [90, 90],
  ["90s", 90],
  ["5m", 300],
  ["2 h", 7200],
  ["1d", 86_400],
])("a window of %s is %d seconds", (given, seconds) => {
  expect(localSettingsOf({ yaml: `aggregated: {window: ${given}}` }).queries.aggregated.windowSeconds).toBe(
    seconds,
  );
});

describe("the file", () => {
  const files = { "/etc/up/a.yaml": "node_id: a", [`${CWD}/b.yaml`]: "node_id: b" };

  test("is --config, else CONFIG_PATH, else the default name", () => {
    const given = { files, yaml: "node_id: default" };
    const node = (argv: object, env: Record<string, string>) =>
      localSettingsOf({ ...given, argv: { ...argv }, env }).nodeId;
    expect(node({}, {})).toBe("default");
    expect(node({}, { CONFIG_PATH: "" })).toBe("default");
    expect(node({}, { CONFIG_PATH: "b.yaml" })).toBe("b");
    expect(node({ config: "/etc/up/a.yaml" }, { CONFIG_PATH: "b.yaml" })).toBe("a");
  });

  test("is what its paths and the default paths are relative to; those of flags and variables are not", () => {
    const text = "sqlite: a.db\npipeline_db: ../b.db\ns3_configuration: {enabled: false}";
    const settings = settingsOf({
      files: { "/etc/up/a.yaml": text },
      argv: { config: "/etc/up/a.yaml", "pipeline-db": "c.db" },
      env: { OUTPUT_DIRECTORY: "out" },
    });
    expect(settings).toMatchObject({
      sqlitePath: "/etc/up/a.db",
      pipelineDbPath: `${CWD}/c.db`,
      stateDir: "/etc/up/state/s3-uploader",
      sink: { kind: "directory", directory: `${CWD}/out` },
    });
  });

  test("may have sections and keys without a value", () => {
    const yaml = "emergency:\naggregated:\n  window:\nnode_id:\n";
    expect(localSettingsOf({ yaml })).toMatchObject({
      nodeId: "machine-1",
      queries: { aggregated: { windowSeconds: 60 } },
    });
  });

  test("may use anchors, and be JSON", () => {
    expect(
      localSettingsOf({ yaml: "aggregated: {group_by: &g [a, b], metrics: *g}" }).queries.aggregated,
    ).toEqual({
      windowSeconds: 60,
      groupBy: ["a", "b"],
      metrics: ["a", "b"],
    });
    expect(localSettingsOf({ yaml: '{\n\t"node_id": "j\\u00e9\\/"\n}' }).nodeId).toBe("jé/");
  });

  test("is checked also where something else counts", () => {
    expect(problemsOf({ yaml: "interval: soon", argv: { interval: "5" } })).toEqual([
      `interval: must be a number from 0.1 to 86400, not "soon" (${CONFIG}:1)`,
    ]);
  });
});

test("a pipeline_db that is the source database is no other file", () => {
  expect(
    localSettingsOf({ argv: { sqlite: "x/../a.db", "pipeline-db": "./a.db" } }).pipelineDbPath,
  ).toBeNull();
});
