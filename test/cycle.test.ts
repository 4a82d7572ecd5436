import { join } from "node:path";
import { expect, test } from "vitest";
import { listObjects } from "./support/lake-reader.ts";
import { appendReadings, openReadings } from "./support/readings.ts";
import { uploadOnce } from "./support/run-in-process.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

test("a cycle ends with the rows that were there at its last read, however fast others come", async () => {
  const cwd = temporaryFolder();
  const db = openReadings(join(cwd, "sensor.db"));
  appendReadings(db, 10);
  let extractions = 0;
  const extracted = () => {
    extractions++;
    if (extractions < 20) appendReadings(db, 1);
  };
  const argv = { sqlite: "sensor.db", "state-dir": "state", directory: "lake" };
  expect(await uploadOnce({ argv, cwd, progress: { extracted } })).toBe(0);
  expect(extractions).toBe(1);
  expect(await uploadOnce({ argv, cwd })).toBe(0);
  expect(listObjects(join(cwd, "lake")).map(({ name }) => name.rows)).toEqual([10, 1]);
});
