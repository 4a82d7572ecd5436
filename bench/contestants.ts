import { join } from "node:path";
import type { PipelineType } from "../src/core/types.ts";
import { PEERS } from "./places.ts";
import {
  plainEnvironment,
  setPipelineType,
  shipOnce,
  type UploaderRun,
  uploaderEnvironment,
  uploaderOnce,
} from "./uploader-command.ts";

/** One run of a contestant. */
export interface Job extends UploaderRun {
  /** The interpreter of bench/.venv. */
  readonly python: string;
}

export interface Contestant {
  readonly name: string;
  /** What its Parquet files hold: the rows of the source, its 1-minute windows, or nothing that is read. */
  readonly writes: "rows" | "windows" | "nothing";
  /** What is done before the clock starts. */
  readonly prepare?: (job: Job) => void;
  /** Program and arguments. */
  readonly command: (job: Job) => string[];
  readonly environment: (job: Job) => Record<string, string>;
}

/** What aggregated takes as metrics of the sensor's table, for the peer that has to be told. */
export const SENSOR_METRICS = [
  "temperature",
  "humidity",
  "pressure",
  "vibration",
  "voltage",
  "height_meters",
  "orientation_degrees",
];

/** The uploader, with a fresh state in each run. */
export const uploader: Contestant = {
  name: "uploader",
  writes: "rows",
  command: uploaderOnce,
  environment: uploaderEnvironment,
};

export const uploaderAggregated: Contestant = {
  ...uploader,
  writes: "windows",
  prepare: (job) => setType(job, "aggregated"),
};

/** Started once more when all is delivered. */
export const uploaderNothingToDo: Contestant = {
  ...uploader,
  name: "uploader, nothing to do",
  prepare: shipOnce,
};

export const nodeDoingNothing: Contestant = {
  name: "node -e 0",
  writes: "nothing",
  command: () => [process.execPath, "-e", "0"],
  environment: plainEnvironment,
};

export const duckdb = peer("DuckDB", "duckdb_copy.py");
/** The rows in any order, which COPY may then write on all cores. */
export const duckdbUnordered = peer("DuckDB, order not preserved", "duckdb_copy.py", ["unordered"]);
export const adbc = peer("ADBC + pyarrow", "adbc_pyarrow.py");
export const polars = peer("polars + connectorx", "polars_connectorx.py");
export const polarsPartitioned = peer("polars + connectorx, 2 partitions", "polars_connectorx.py", ["2"]);
export const pandas = peer("pandas + pyarrow", "pandas_pyarrow.py");
export const duckdbHttpfs = peer("DuckDB + httpfs", "duckdb_copy.py");
export const pandasBoto3 = peer("pandas + boto3", "pandas_boto3.py");
export const duckdbGroupBy: Contestant = {
  ...peer("DuckDB GROUP BY", "duckdb_group_by.py", SENSOR_METRICS),
  writes: "windows",
};

function setType(job: Job, type: PipelineType): void {
  setPipelineType(job, type);
}

function peer(name: string, script: string, more: readonly string[] = []): Contestant {
  return {
    name,
    writes: "rows",
    command: ({ python, source, destination }) => [
      python,
      join(PEERS, script),
      source.database,
      source.table,
      destination.kind === "s3" ? `s3://${destination.bucket}` : destination.folder,
      ...more,
    ],
    environment: ({ destination }) => ({
      ...plainEnvironment(),
      ...(destination.kind === "s3" ? destination.server.environment : {}),
    }),
  };
}
