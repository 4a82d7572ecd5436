import type { Address, PipelineType, QuerySettings } from "../core/types.ts";

export const COMPRESSIONS = ["snappy", "zstd", "gzip", "none"] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export const SSE_MODES = ["AES256", "aws:kms"] as const;

/** Those that Auto Loader can read at once; objects in an archive class would have to be restored first. */
export const STORAGE_CLASSES = [
  "STANDARD",
  "STANDARD_IA",
  "ONEZONE_IA",
  "INTELLIGENT_TIERING",
  "GLACIER_IR",
  "REDUCED_REDUNDANCY",
] as const;

export type BucketNames = Readonly<Record<PipelineType, string>>;

export interface S3SinkSettings {
  readonly kind: "s3";
  readonly region: string;
  /** null: AWS's own. */
  readonly endpoint: string | null;
  /** Whether requests may go to another machine without TLS. */
  readonly allowInsecureEndpoint: boolean;
  readonly forcePathStyle: boolean;
  /** null: what the bucket is set to. */
  readonly sse: (typeof SSE_MODES)[number] | null;
  /** null: the key that the bucket or the account has by default. */
  readonly kmsKeyId: string | null;
  readonly storageClass: (typeof STORAGE_CLASSES)[number] | null;
  readonly conditionalWrites: boolean;
  readonly buckets: BucketNames;
}

export interface DirectorySinkSettings {
  readonly kind: "directory";
  /** Absolute path; objects lie at `{directory}/{bucket}/{key}`. */
  readonly directory: string;
  /** Names of folders, under the rules for names of buckets. */
  readonly buckets: BucketNames;
}

export type SinkSettings = S3SinkSettings | DirectorySinkSettings;

/** What `uploader` runs on. Every path is absolute, every value has passed its checks. */
export interface Settings {
  readonly sqlitePath: string;
  /** null: the only candidate there is; `"*"`: every candidate. */
  readonly tables: readonly string[] | "*" | null;
  /** null: detected. */
  readonly timestampColumn: string | null;
  readonly autoDetection: boolean;
  /** The file with the control tables; null: the source database. */
  readonly pipelineDbPath: string | null;
  readonly nodeId: string;
  readonly stateDir: string;
  /** Whether databases may lie on a file system that SQLite does not work on. */
  readonly allowNetworkFileSystem: boolean;
  readonly intervalSeconds: number;
  /** Takes the place of `intervalSeconds` while the pipeline type is emergency. */
  readonly emergencyIntervalSeconds: number;
  /** The most rows in one object. */
  readonly maxBatchRows: number;
  readonly outboxMaxBytes: number;
  /** Where questions after its health and its metrics are answered; null: nowhere. */
  readonly statusAddress: Address | null;
  /** Whether the end of a spot instance is watched for. */
  readonly spotNotices: boolean;
  /** Encoded bytes at which an object is closed. */
  readonly targetObjectBytes: number;
  readonly compression: Compression;
  readonly sink: SinkSettings;
  readonly queries: QuerySettings;
  readonly once: boolean;
  readonly dryRun: boolean;
  readonly logLevel: LogLevel;
}
