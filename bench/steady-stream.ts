import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import Database from "better-sqlite3";
import type { Bench } from "./case.ts";
import { type Share, watchProcess } from "./cpu-share.ts";
import { makeFolder, ROOT } from "./places.ts";
import { createReadBack, parquetFiles } from "./read-back.ts";
import {
  plainEnvironment,
  shipOnce,
  startProgram,
  startUploader,
  type UploaderRun,
} from "./uploader-command.ts";

const TABLE = "sensor_readings";
const ROWS_PER_SECOND = 1_000;
const INTERVAL_SECONDS = 5;
/** Whole intervals, so that no cycle is counted in part. */
const SETTLE_SECONDS = 2 * INTERVAL_SECONDS;
const WATCH_SECONDS = 6 * INTERVAL_SECONDS;

/** A sensor writes, and the uploader ships what is new every few seconds. */
export async function watchSteadyStream(folder: string, bench: Bench): Promise<Share> {
  const database = join(folder, "sensor.db");
  const settings = ["--config", join(ROOT, "sample-sensor", "sensor-config.yaml"), "--db", database];
  const rate = ["--rate", String(ROWS_PER_SECOND), "--seed", "1"];
  const sensor = startProgram("sensor", [...settings, ...rate], folder, plainEnvironment());
  await untilRows(database);

  const source = { database, table: TABLE };
  const lake = makeFolder(folder, "lake");
  const run: UploaderRun = { source, folder, destination: { kind: "directory", folder: lake } };
  const uploader = startUploader(run, { UPLOAD_INTERVAL: String(INTERVAL_SECONDS) });
  const share = await watchProcess(
    uploader.pid,
    bench.quick
      ? { settleSeconds: INTERVAL_SECONDS, watchSeconds: INTERVAL_SECONDS }
      : { settleSeconds: SETTLE_SECONDS, watchSeconds: WATCH_SECONDS },
  );
  await sensor.stop();
  await uploader.stop();
  shipOnce(run);
  const paths = parquetFiles(lake).map(({ path }) => path);
  const rows = createReadBack(bench.python).expectRows(source, paths);
  if (rows < ROWS_PER_SECOND * share.wallSeconds) throw new Error(`the sensor wrote ${rows} rows only`);
  return { ...share, rows };
}

async function untilRows(database: string): Promise<void> {
  for (const end = performance.now() + 20_000; performance.now() < end; await delay(100)) {
    try {
      const db = new Database(database, { readonly: true, fileMustExist: true });
      const rows = db.prepare(`SELECT count(*) FROM ${TABLE}`).pluck().get();
      db.close();
      if (rows !== 0) return;
    } catch {
      // Not made yet.
    }
  }
  throw new Error("the sensor wrote nothing within 20 s");
}
