import { join } from "node:path";
import { expect, test } from "vitest";
import { loadColumnarExtension } from "../../src/sqlite/columnar-extension.ts";
import { openMemoryDatabase } from "../../src/sqlite/open.ts";
import { packagesIn, recordLoadedModules } from "../support/loaded-modules.ts";
import { appendReadings, openReadings } from "../support/readings.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { runProgram } from "../support/uploader-process.ts";

/** Each takes longer to load than all the rest of a start; string-width for its Intl.Segmenter. */
const HEAVY = /^(apache-arrow|parquet-wasm|flatbuffers|string-width|@aws-sdk\/.*|@smithy\/.*)$/;

/** Whether it is built and on, so that objects are encoded by it. */
const hasExtension = loadColumnarExtension(openMemoryDatabase());

/** A table of its own, and which heavy packages each run with `--once` loads. */
function setUp(flags: readonly string[], environment: Readonly<Record<string, string>> = {}) {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  const db = openReadings(database);
  let runs = 0;
  const heavyPackages = async () => {
    const record = join(folder, `loaded-${++runs}`);
    const source = ["--sqlite", database, "--node-id", "press-7"];
    const env = { STATE_DIR: "state", ...environment, ...recordLoadedModules(record) };
    const run = await runProgram("uploader", [...source, ...flags, "--once"], { cwd: folder, env });
    expect(run).toMatchObject({ code: 0 });
    const packages = packagesIn(record);
    expect(packages).toContain("better-sqlite3");
    expect(packages, "one that is bundled").toContain("yargs");
    return [...packages].filter((name) => HEAVY.test(name)).toSorted();
  };
  return { db, heavyPackages };
}

test("a run with nothing to do loads none of the heavy packages, one with a row those it needs", async () => {
  const { db, heavyPackages } = setUp(["--directory", join(temporaryFolder(), "lake")]);
  expect(await heavyPackages()).toEqual([]);
  appendReadings(db, 1);
  expect(await heavyPackages()).toEqual(hasExtension ? [] : ["flatbuffers", "parquet-wasm"]);
  expect(await heavyPackages()).toEqual([]);
});

test("without the C extension a run with a row loads what encodes it instead", async () => {
  const flags = ["--directory", join(temporaryFolder(), "lake")];
  const { db, heavyPackages } = setUp(flags, { UPLOADER_NATIVE: "off" });
  appendReadings(db, 1);
  expect(await heavyPackages()).toEqual(["flatbuffers", "parquet-wasm"]);
});

suiteFor("versitygw", "a run with nothing to do", (server) => {
  test("loads the AWS SDK and nothing that encodes", async () => {
    const { environment, createBuckets } = server();
    const types = ["RAW", "SCHEMATIZED", "AGGREGATED", "EMERGENCY"];
    const buckets = Object.fromEntries(types.map((type) => [`S3_BUCKET_${type}`, "start-of-press-7"]));
    await createBuckets(["start-of-press-7"]);
    const { db, heavyPackages } = setUp([], { ...environment, ...buckets });
    appendReadings(db, 1);
    expect(await heavyPackages()).toContain("@aws-sdk/client-s3");
    const packages = await heavyPackages();
    expect(packages).toContain("@aws-sdk/client-s3");
    expect(packages.filter((name) => !name.startsWith("@"))).toEqual([]);
  });
});
