import type { Condition } from "../core/types.ts";
import * as name from "./name-kinds.ts";
import { type Setting, setting } from "./setting.ts";
import { COMPRESSIONS, LOG_LEVELS, type LogLevel, SSE_MODES, STORAGE_CLASSES } from "./settings.ts";
import * as structure from "./structure-kinds.ts";
import * as kind from "./value-kinds.ts";

export const DEFAULT_CONFIG_NAME = "databricks-uploader-config.yaml";

/** Where the file with the other settings is. */
export const CONFIG_FILE = {
  env: "CONFIG_PATH",
  flag: "config",
  defaultText: `\`${DEFAULT_CONFIG_NAME}\` in the working folder, if it is there`,
  description:
    "The YAML file with the settings below; its paths, and those among the defaults, are relative to it",
} as const;

const DAY_SECONDS = 86_400;
const DEFAULT_FILTER: Condition = { anomaly_flag: 1 };

/** Every setting there is, in the order of the reference. */
export const SETTINGS = {
  sqlite: setting({
    yaml: "sqlite",
    env: ["SQLITE_PATH", "SENSOR_DB_PATH"],
    flag: "sqlite",
    kind: kind.path("the SQLite database that the sensor writes"),
    isPath: true,
    default: null,
    defaultText: "required",
    description: "The SQLite database to ship rows from",
  }),
  tables: setting({
    yaml: "sqlite_table",
    env: ["SQLITE_TABLE_NAME"],
    flag: "table",
    kind: name.tables(),
    default: null,
    defaultText: "the only candidate",
    description:
      'The table to ship: a name, a list (in the environment and the flag separated by commas), or `"*"` for every candidate. With several candidates and no choice the uploader names them and stops',
  }),
  timestampColumn: setting({
    yaml: "timestamp_col",
    env: ["TIMESTAMP_COL"],
    flag: "timestamp-col",
    kind: kind.text("the name of a column"),
    default: null,
    defaultText: "detected",
    description: "The column with the time of a row",
  }),
  autoDetection: setting({
    yaml: "enable_auto_detection",
    kind: kind.boolean(),
    default: true,
    description: "Whether table and timestamp column may be detected; with `false` both must be named",
  }),
  pipelineDb: setting({
    yaml: "pipeline_db",
    env: ["PIPELINE_DB"],
    flag: "pipeline-db",
    kind: kind.path("a SQLite database"),
    isPath: true,
    default: null,
    defaultText: "the source database",
    description: "The SQLite database with the control tables, where the source is mounted read-only",
  }),
  nodeId: setting({
    yaml: "node_id",
    env: ["NODE_ID"],
    flag: "node-id",
    kind: kind.text("a name for this machine"),
    default: null,
    defaultText: "the hostname",
    description: "This machine's name in keys and rows; no two machines may share one",
  }),
  stateDir: setting({
    yaml: "state_dir",
    env: ["STATE_DIR"],
    flag: "state-dir",
    kind: kind.path("a folder"),
    isPath: true,
    default: "state/s3-uploader",
    description: "The folder with the state and the outbox; it must outlive the process",
  }),
  allowNetworkFileSystem: setting({
    yaml: "allow_network_filesystem",
    env: ["ALLOW_NETWORK_FILESYSTEM"],
    flag: "allow-network-filesystem",
    switchOn: true,
    kind: kind.boolean(),
    default: false,
    description:
      "`true` takes a database or state folder on NFS, SMB, 9p, virtiofs and the like, where SQLite can be damaged without an error",
  }),
  intervalSeconds: setting({
    yaml: "interval",
    env: ["UPLOAD_INTERVAL"],
    flag: "interval",
    kind: kind.number({ min: 0.1, max: DAY_SECONDS }),
    default: 30,
    description: "Seconds between cycles; in emergency `emergency.interval` counts",
  }),
  maxBatchRows: setting({
    yaml: "max_batch_size",
    env: ["MAX_BATCH_SIZE"],
    flag: "max-batch-size",
    kind: kind.number({ min: 1, max: 100_000_000, integer: true }),
    default: 1_000_000,
    description: "The most rows in one object",
  }),
  outboxMaxMb: setting({
    yaml: "outbox_max_mb",
    env: ["OUTBOX_MAX_MB"],
    kind: kind.number({ min: 0.01, max: 10_000_000 }),
    default: 1024,
    description: "MiB of undelivered objects at which extraction waits",
  }),
  statusAddress: setting({
    yaml: "status_address",
    env: ["STATUS_ADDRESS"],
    kind: kind.address(),
    default: null,
    defaultText: "none",
    description:
      "`host:port` to answer on, or a port of this machine alone: GET `/healthz` is 200 while cycles end, 503 when none has for three intervals, or a minute where that is longer, and when every source is stopped; GET `/metrics` is for Prometheus",
  }),
  spotNotices: setting({
    yaml: "spot_notices",
    env: ["SPOT_NOTICES"],
    kind: kind.boolean(),
    default: false,
    description:
      "`true` watches for the notices that EC2 gives a spot instance: before an interruption what is there is delivered, open windows too, and the uploader ends",
  }),
  s3Enabled: setting({
    yaml: "s3_configuration.enabled",
    env: ["S3_ENABLED"],
    kind: kind.boolean(),
    default: true,
    description: "`true` ships to S3, `false` to the folder in `directory`",
  }),
  directory: setting({
    yaml: "directory",
    env: ["OUTPUT_DIRECTORY"],
    flag: "directory",
    kind: kind.path("a folder"),
    isPath: true,
    default: "lake",
    description:
      "The folder to ship to where S3 is off, as `{directory}/{bucket}/{key}`. The flag turns S3 off by itself",
  }),
  region: setting({
    yaml: "s3_configuration.region",
    env: ["S3_REGION", "AWS_REGION"],
    kind: name.region(),
    default: null,
    defaultText: "required for S3",
    description:
      "The region of the buckets. For a folder it is only part of the names, `local` by default, and AWS_REGION does not count",
  }),
  prefix: setting({
    yaml: "s3_configuration.prefix",
    env: ["S3_BUCKET_PREFIX", "S3_PREFIX"],
    kind: kind.text("the beginning of the buckets' names"),
    default: null,
    defaultText: "required for S3, unless all buckets are named",
    description:
      "Buckets are named `{prefix}-databricks-{type}-{region}`; for a folder it is `local` by default",
  }),
  bucketRaw: bucket("raw"),
  bucketSchematized: bucket("schematized"),
  bucketAggregated: bucket("aggregated"),
  bucketEmergency: bucket("emergency"),
  conditionalWrites: setting({
    yaml: "s3_configuration.conditional_writes",
    kind: kind.boolean(),
    default: true,
    description:
      "`false` is for servers without conditional writes: a HEAD before each put, a weaker promise that is said at every start",
  }),
  endpoint: setting({
    yaml: "s3_configuration.endpoint",
    env: ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"],
    kind: name.endpoint(),
    default: null,
    defaultText: "AWS's own",
    description: "The URL of another server that speaks S3; `https`, unless it is on this machine",
  }),
  allowInsecureEndpoint: setting({
    yaml: "s3_configuration.allow_insecure_endpoint",
    kind: kind.boolean(),
    default: false,
    description:
      "`true` allows an `http` endpoint on another machine: rows can then be read, and answers forged, on the way",
  }),
  forcePathStyle: setting({
    yaml: "s3_configuration.force_path_style",
    kind: kind.boolean(),
    default: null,
    defaultText: "`true` with an endpoint, else `false`",
    description: "Whether the bucket stands in the path of a URL instead of in the host",
  }),
  sse: setting({
    yaml: "s3_configuration.sse",
    kind: kind.choice(SSE_MODES),
    default: null,
    defaultText: "as the bucket is set",
    description: `Encryption by the server: ${alternatives(SSE_MODES)}`,
  }),
  kmsKeyId: setting({
    yaml: "s3_configuration.kms_key_id",
    kind: kind.text("the id or ARN of a KMS key", 2048),
    default: null,
    defaultText: "the bucket's or AWS's own key",
    description: "The KMS key for `sse: aws:kms`",
  }),
  storageClass: setting({
    yaml: "s3_configuration.storage_class",
    kind: kind.choice(STORAGE_CLASSES),
    default: null,
    defaultText: "the bucket's",
    description: `The storage class of objects, one that can be read at once: ${alternatives(STORAGE_CLASSES)}`,
  }),
  batchSizeMb: setting({
    yaml: "s3_batch_size_mb",
    kind: kind.number({ min: 0.01, max: 5_000 }),
    default: 50,
    description: "MiB of Parquet at which an object is closed",
  }),
  compression: setting({
    yaml: "s3_compression",
    kind: kind.choice(COMPRESSIONS),
    default: "snappy",
    description: `Compression within Parquet: ${alternatives(COMPRESSIONS)}`,
  }),
  emergencyFilter: setting({
    yaml: "emergency.filter",
    kind: structure.condition(),
    default: DEFAULT_FILTER,
    defaultText: "`{anomaly_flag: 1}`",
    description:
      "Which rows are emergencies: columns to values or comparisons (`=` `!=` `<` `<=` `>` `>=` `in` `not_in`), all of which must hold; `$or` and `$and` take lists of conditions, `$not` takes one",
  }),
  emergencyIntervalSeconds: setting({
    yaml: "emergency.interval",
    kind: kind.number({ min: 0.1, max: DAY_SECONDS }),
    default: 1,
    description:
      "Seconds between cycles while the pipeline type is emergency; a row that matches the filter does not wait for it",
  }),
  schema: setting({
    yaml: "schematized.schema",
    kind: structure.schemaOrPath(),
    default: null,
    defaultText: "derived from each table's DDL",
    description:
      'What rows are checked against: a JSON Schema object for every table, or `tables:` with one for each table (`"*"` for the others); inline, or the path of a JSON or YAML file',
  }),
  enrich: setting({
    yaml: "schematized.enrich",
    kind: structure.constants(),
    default: {},
    defaultText: "none",
    description: "Columns with a constant value that schematized rows get, such as the site of this node",
  }),
  windowSeconds: setting({
    yaml: "aggregated.window",
    kind: kind.durationSeconds({ min: 1, max: 7 * DAY_SECONDS }),
    default: 60,
    description: "The length of a window: whole seconds, or a text such as `60s`, `5m`, `1h`",
  }),
  groupBy: setting({
    yaml: "aggregated.group_by",
    kind: name.columns(),
    default: null,
    defaultText: "sensor id and location, where there are such columns",
    description: "The columns that rows are grouped by within a window; an empty list makes one group",
  }),
  metrics: setting({
    yaml: "aggregated.metrics",
    kind: name.columns(),
    default: null,
    defaultText: "every numeric column that is not a flag, a key or a coordinate",
    description: "The columns that figures are made of",
  }),
  once: setting({
    env: ["ONCE"],
    flag: "once",
    switchOn: true,
    kind: kind.boolean(),
    default: false,
    description: "Ship what is there and exit (`true`, `1`, `yes`; `--no-once` overrides the variable)",
  }),
  dryRun: setting({
    flag: "dry-run",
    switchOn: true,
    kind: kind.boolean(),
    default: false,
    description: "Say what would be shipped, and change nothing",
  }),
  logLevel: setting<LogLevel, "info">({
    env: ["LOG_LEVEL"],
    flag: "debug",
    switchOn: "debug",
    kind: kind.choice(LOG_LEVELS),
    default: "info",
    description: `How much is logged: ${alternatives(LOG_LEVELS)}; the flag stands for \`debug\``,
  }),
};

export type SettingName = keyof typeof SETTINGS;

/** A setting's value once its default has taken the place of what was not set. */
export type SettingValue<K extends SettingName> =
  (typeof SETTINGS)[K] extends Setting<infer T, infer D> ? T | D : never;

export const SETTING_ENTRIES = Object.entries(SETTINGS) as readonly (readonly [
  SettingName,
  Setting<unknown>,
])[];

function bucket(type: string) {
  return setting({
    yaml: `s3_configuration.buckets.${type}`,
    env: [`S3_BUCKET_${type.toUpperCase()}`],
    kind: name.bucketName(),
    default: null,
    defaultText: `\`{prefix}-databricks-${type}-{region}\``,
    description: `The bucket of pipeline type ${type}`,
  });
}

function alternatives(options: readonly string[]): string {
  return options.map((option) => `\`${option}\``).join(", ");
}
