import type { BenchCase, Verdict } from "./case.ts";
import * as contestant from "./contestants.ts";
import { cpuShare } from "./cpu-share.ts";
import { emergencyLatency } from "./emergency-latency.ts";
import { watchIdle } from "./idle-uploader.ts";
import { type Entry, type Medians, type Result, race } from "./race.ts";
import * as target from "./race-targets.ts";
import { watchSteadyStream } from "./steady-stream.ts";
import { generatedTable, sensorTable, type TestTable } from "./test-tables.ts";

const { adbc, duckdb, duckdbUnordered, pandas, polars, polarsPartitioned, uploader } = contestant;
const COPIERS = [uploader, duckdb, duckdbUnordered, adbc, polars, polarsPartitioned, pandas];

const RUNS = 5;
/** Of what takes long. */
const FEW_RUNS = 3;

/** Every case there is. Each target is one of issue 5. */
export const CASES: readonly BenchCase[] = [
  {
    name: "backlog-1m",
    title: "A backlog of a million rows to a directory",
    run: (bench) => {
      const entries = all(COPIERS, sensorTable(1_000_000, bench.quick));
      const judge = (medians: Medians) => [
        target.faster(medians, duckdb, 1),
        target.faster(medians, adbc, 1.6),
        target.faster(medians, polars, 1.25),
        target.faster(medians, pandas, 4.5),
        ...sparing(medians),
      ];
      return race({ name: "backlog-1m", sink: "directory", entries, runs: RUNS, judge }, bench);
    },
  },
  {
    name: "backlog-4-columns",
    title: "A backlog of four columns to a directory",
    run: (bench) => {
      const entries = all(COPIERS, generatedTable(4, 1_000_000, bench.quick));
      const judge = (medians: Medians) => [target.faster(medians, duckdb, 1), ...sparing(medians)];
      return race({ name: "backlog-4-columns", sink: "directory", entries, runs: RUNS, judge }, bench);
    },
  },
  {
    name: "backlog-120-columns",
    title: "A backlog of 120 columns to a directory",
    run: (bench) => {
      const entries = all(COPIERS, generatedTable(120, 200_000, bench.quick));
      const judge = (medians: Medians) => [target.faster(medians, duckdb, 1), ...sparing(medians)];
      return race({ name: "backlog-120-columns", sink: "directory", entries, runs: RUNS, judge }, bench);
    },
  },
  {
    name: "s3-1m",
    title: "A backlog of a million rows to S3 (versitygw on loopback)",
    run: (bench) => {
      const { duckdbHttpfs, pandasBoto3 } = contestant;
      const entries = all([uploader, duckdbHttpfs, pandasBoto3], sensorTable(1_000_000, bench.quick));
      const judge = (medians: Medians) => [
        target.faster(medians, duckdbHttpfs, 1),
        target.faster(medians, pandasBoto3, 4),
      ];
      return race({ name: "s3-1m", sink: "s3", entries, runs: RUNS, judge }, bench);
    },
  },
  {
    name: "growth",
    title: "Time per row and memory from a hundred thousand rows to ten million",
    run: (bench) => {
      const sizes = [100_000, 1_000_000, 10_000_000].map((rows) => sensorTable(rows, bench.quick));
      const [smallest, , largest] = sizes as [TestTable, TestTable, TestTable];
      const entries: Entry[] = [
        { contestant: contestant.uploaderNothingToDo, table: smallest },
        ...sizes.map((table) => ({ contestant: uploader, table })),
        { contestant: duckdb, table: largest },
      ];
      const judge = ([start, ...others]: Medians) =>
        target.flat(others.slice(0, sizes.length), (start as Result).wallSeconds);
      return race({ name: "growth", sink: "directory", entries, runs: FEW_RUNS, judge }, bench);
    },
  },
  {
    name: "aggregated-1m",
    title: "A million rows to windows of one minute",
    run: (bench) => {
      const { duckdbGroupBy, uploaderAggregated } = contestant;
      const entries = all([uploaderAggregated, duckdbGroupBy], sensorTable(1_000_000, bench.quick));
      const judge = (medians: Medians) => [target.faster(medians, duckdbGroupBy, 1)];
      return race({ name: "aggregated-1m", sink: "directory", entries, runs: RUNS, judge }, bench);
    },
  },
  {
    name: "nothing-to-do",
    title: "`uploader --once` when all is delivered",
    run: (bench) => {
      const { nodeDoingNothing, uploaderNothingToDo } = contestant;
      const entries = all([uploaderNothingToDo, nodeDoingNothing], sensorTable(100_000, bench.quick));
      const judge = (medians: Medians) => [target.slower(medians, nodeDoingNothing, 5)];
      return race({ name: "nothing-to-do", sink: "directory", entries, runs: 2 * RUNS, judge }, bench);
    },
  },
  {
    name: "idle",
    title: "A running uploader with nothing new to ship",
    run: (bench) => {
      const command = "S3_ENABLED=false node dist/src/cli/uploader.js";
      return cpuShare({ name: "idle", what: "idle", limit: 0.5, command, watch: watchIdle }, bench);
    },
  },
  {
    name: "steady",
    title: "A sensor that writes a thousand rows a second, interval 5",
    run: (bench) => {
      const command = "S3_ENABLED=false UPLOAD_INTERVAL=5 node dist/src/cli/uploader.js";
      const what = "1,000 rows a second, interval 5";
      return cpuShare({ name: "steady", what, limit: 5, command, watch: watchSteadyStream }, bench);
    },
  },
  {
    name: "emergency",
    title: "From the commit of an emergency to its object in S3 (versitygw on loopback)",
    run: emergencyLatency,
  },
];

/** The bytes and memory of a backlog of any table. */
function sparing(medians: Medians): Verdict[] {
  return [
    target.bytesAgainst(medians, duckdb, 1.02),
    target.peakAtMost(target.resultOf(medians, uploader), 250),
  ];
}

function all(contestants: readonly contestant.Contestant[], table: TestTable): Entry[] {
  return contestants.map((one) => ({ contestant: one, table }));
}
