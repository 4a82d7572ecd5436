import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { formatCount } from "../../src/cli/text-table.ts";
import { describeError, UploaderError } from "../../src/core/errors.ts";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { listObjects } from "../../test/support/lake-reader.ts";
import { type CheckOptions, checkOptions } from "./check-options.ts";
import { type CheckPlace, checkNode, folderPlace, s3Place } from "./check-place.ts";
import { type CheckSettings, WINDOW_SECONDS, writeCheckSettings } from "./check-settings.ts";
import { compareSensor, formatByType } from "./compare-sensor.ts";
import { openPrograms } from "./programs.ts";
import { untilArrived } from "./until-arrived.ts";

const PATIENCE_MS = 60_000;
const SHOWN = 20;
const BACKFILL = 500;
const PER_SECOND = 100;

try {
  const options = await checkOptions(process.argv);
  if (options) process.exitCode = (await check(options)) ? 0 : 1;
} catch (error) {
  console.error(`FAIL: ${describeError(error)}`);
  process.exitCode = error instanceof UploaderError ? error.exitCode : 1;
}
// Programs that still run would hold it up; they are killed at the exit.
process.exit();

/** Whether all went well; the folder is kept where it did not. */
async function check(options: CheckOptions): Promise<boolean> {
  const began = new Date();
  const folder = mkdtempSync(join(tmpdir(), "sensor-pipeline-"));
  const node = checkNode(hostname(), began);
  let passed = false;
  try {
    const settings = writeCheckSettings(folder, node, options);
    const { sink } = settings;
    const place =
      sink.kind === "s3" ? s3Place(sink, join(folder, "lake"), node, began) : folderPlace(sink.directory);
    say(`The pipeline is tried in ${folder}, as node ${node}. No database and no state of yours is touched.`);
    if (sink.kind === "s3")
      say(`Objects go to ${Object.values(sink.buckets).join(", ")}, and stay there: the lake takes them in.`);
    try {
      await ship(folder, settings, place);
      passed = await compare(settings.database, place, node);
    } finally {
      place.close();
    }
  } finally {
    if (passed && !options.keep) rmSync(folder, { recursive: true, force: true });
    else say(`The folder is kept: ${folder}, with logs, database and state.`);
  }
  say(passed ? "PASS" : "FAIL");
  return passed;
}

/** Runs a sensor and an uploader through all types, stops both, and ships the rest. */
async function ship(
  folder: string,
  { config, database, env }: CheckSettings,
  place: CheckPlace,
): Promise<void> {
  const { run, start, stop } = openPrograms(folder, env);
  run("sensor", ["--db", database, "--backfill", String(BACKFILL)]);
  const sensor = start("sensor", [
    ...["--db", database, "--rate", String(PER_SECOND), "--anomaly-probability", "0.2"],
  ]);
  const uploader = start("uploader", ["--config", config]);
  say(`sensor: ${BACKFILL} rows of the past, then ${PER_SECOND} a second`);
  for (const type of PIPELINE_TYPES) {
    run("pipeline-manager", ["--config", config, "set", type, "--by", "test-sensor-pipeline"]);
    const isThere = async () => {
      if (uploader.exitCode !== null)
        throw new Error(
          `the uploader ended with ${uploader.exitCode}: ${lastLine(join(folder, "uploader.log"))}`,
        );
      await place.refresh();
      return listObjects(place.folder).some(({ name }) => name.route.type === type);
    };
    const seconds = await untilArrived(`${type} object has arrived`, isThere, PATIENCE_MS);
    say(`${type}: arrived after ${seconds.toFixed(1)} s`);
  }
  await stop(sensor);
  await stop(uploader);
  run("uploader", ["--config", config, "--once"]);
  await place.refresh();
}

async function compare(database: string, place: CheckPlace, node: string): Promise<boolean> {
  const comparison = await compareSensor(database, place.folder, { node, windowSeconds: WINDOW_SECONDS });
  const { rows, found, objects, violations } = comparison;
  for (const violation of violations.slice(0, SHOWN)) say(violation);
  if (violations.length > SHOWN) say(`… and ${violations.length - SHOWN} more`);
  say(
    `compared: ${formatCount(rows)} rows in SQLite, ${formatCount(found)} found by content in ${objects} objects (${formatByType(comparison)})`,
  );
  return violations.length === 0;
}

function lastLine(path: string): string {
  return existsSync(path)
    ? (readFileSync(path, "utf8").trimEnd().split("\n").at(-1) ?? "")
    : "it said nothing";
}

function say(line: string): void {
  console.log(line);
}
