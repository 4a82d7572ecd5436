import type { Bench } from "./case.ts";
import { type Share, watchProcess } from "./cpu-share.ts";
import { makeFolder } from "./places.ts";
import { createReadBack, parquetFiles } from "./read-back.ts";
import { prepareTable, sensorTable } from "./test-tables.ts";
import { shipOnce, startUploader, type UploaderRun } from "./uploader-command.ts";

/** One cycle at the default interval, and all the polls between. */
const WATCH_SECONDS = 30;
const QUICK_WATCH_SECONDS = 4;

/** All is delivered, nothing is new: what the uploader takes to find that out again and again. */
export async function watchIdle(folder: string, bench: Bench): Promise<Share> {
  const source = sensorTable(100_000, bench.quick);
  await prepareTable(source, bench.say);
  const lake = makeFolder(folder, "lake");
  const run: UploaderRun = { source, folder, destination: { kind: "directory", folder: lake } };
  shipOnce(run);
  const uploader = startUploader(run, {});
  const watchSeconds = bench.quick ? QUICK_WATCH_SECONDS : WATCH_SECONDS;
  const share = await watchProcess(uploader.pid, { settleSeconds: 5, watchSeconds });
  await uploader.stop();
  const paths = parquetFiles(lake).map(({ path }) => path);
  return { ...share, rows: createReadBack(bench.python).expectRows(source, paths) };
}
