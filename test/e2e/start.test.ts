import { join } from "node:path";
import { expect, test } from "vitest";
import { packagesIn, recordLoadedModules } from "../support/loaded-modules.ts";
import { appendReadings, openReadings } from "../support/readings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { runProgram } from "../support/uploader-process.ts";

/** Each takes longer to load than all the rest of a start. */
const HEAVY = /^(apache-arrow|parquet-wasm|@aws-sdk\/.*|@smithy\/.*)$/;

test("a run with nothing to do loads none of the heavy packages, one with a row those it needs", async () => {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  const db = openReadings(database);
  const heavyPackages = async (name: string) => {
    const record = join(folder, name);
    const flags = ["--sqlite", database, "--directory", join(folder, "lake"), "--node-id", "press-7"];
    const env = { STATE_DIR: "state", ...recordLoadedModules(record) };
    const run = await runProgram("uploader", [...flags, "--once"], { cwd: folder, env });
    expect(run).toMatchObject({ code: 0 });
    const packages = packagesIn(record);
    expect(packages).toContain("better-sqlite3");
    return [...packages].filter((name) => HEAVY.test(name));
  };

  expect(await heavyPackages("nothing")).toEqual([]);
  appendReadings(db, 1);
  expect(await heavyPackages("a-row")).toEqual(["parquet-wasm"]);
  expect(await heavyPackages("nothing-again")).toEqual([]);
});
