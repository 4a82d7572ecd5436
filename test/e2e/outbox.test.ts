import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { stateDocument } from "../../src/cli/state-report.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import { listObjects, readRows } from "../support/lake-reader.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { appendReadings, createReadings, openForTest, openReadings } from "../support/readings.ts";
import { startInProcess, uploadOnce } from "../support/run-in-process.ts";
import { openS3Lake } from "../support/s3-lake.ts";
import { startS3Proxy } from "../support/s3-proxy.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { runProgram, startProgram } from "../support/uploader-process.ts";
import { expectEveryRowOnce } from "../support/whole-lake.ts";

suiteFor("versitygw", "the outbox", (server) => {
  test("fills up while the sink is out of reach, shared fairly, and everything is delivered later", async () => {
    const folder = temporaryFolder();
    const database = join(folder, "sensor.db");
    const db = openReadings(database, { table: "large" });
    createReadings(db, "small");
    appendReadings(db, 10_000, { table: "large" });
    appendReadings(db, 100, { table: "small" });
    const lake = await openS3Lake(server());
    let isOffline = true;
    const proxy = await startS3Proxy(server().endpoint, () => (isOffline ? { cut: "before" } : undefined));
    onTestFinished(() => proxy.stop());
    const limit = 200_000;
    const env = {
      ...lake.environment,
      AWS_ENDPOINT_URL_S3: proxy.endpoint,
      STATE_DIR: "state",
    };
    const config = join(folder, "uploader.yaml");
    writeFileSync(config, `outbox_max_mb: ${limit / 1024 / 1024}\ns3_batch_size_mb: 0.05\n`);
    const args = ["--config", config, "--sqlite", database, "--table", "*", "--node-id", "press-7"];
    args.push("--max-batch-size", "100");
    const uploader = startProgram("uploader", [...args, "--interval", "0.1"], { cwd: folder, env });
    await uploader.untilOutput(/"table":"large","msg":"the outbox is full/);
    const sources = () => stateDocument(join(folder, "state")).sources;
    const waiting = (table: string) => sources().find((source) => source.table === table)?.waiting;
    await until("the small source is extracted", () => waiting("small")?.rows === 100);
    const rowsOfLarge = waiting("large")?.rows;
    appendReadings(db, 50, { table: "small" });
    await until("the small source has room of its own", () => waiting("small")?.rows === 150);

    expect(waiting("large")?.rows, "the large one waits in its table").toBe(rowsOfLarge);
    expect(rowsOfLarge).toBeGreaterThan(100);
    expect(rowsOfLarge).toBeLessThan(10_000);
    expect(waiting("large")?.bytes).toBeGreaterThan(limit / 4);
    expect(waiting("large")?.bytes).toBeLessThan(limit / 2 + 10_000);
    expect(lake.objects()).toEqual([]);
    const inOutbox = sources().reduce((sum, source) => sum + source.waiting.objects, 0);
    expect(readdirSync(join(folder, "state", "outbox"))).toHaveLength(inOutbox);
    const statuses = openForTest(database)
      .prepare("SELECT DISTINCT status, error IS NULL FROM pipeline_executions ORDER BY status")
      .raw()
      .all();
    expect(statuses).toEqual([
      ["failed", 0],
      ["pending", 1],
    ]);

    isOffline = false;
    await uploader.untilOutput(/"table":"large","msg":"the outbox has room again/);
    uploader.process.kill("SIGTERM");
    expect(await uploader.finished).toMatchObject({ code: 0 });
    expect(await runProgram("uploader", [...args, "--once"], { cwd: folder, env })).toMatchObject({
      code: 0,
    });
    for (const table of ["large", "small"]) await expectEveryRowOnce(lake.objects(), { database, table });
    expect(readdirSync(join(folder, "state", "outbox"))).toEqual([]);
  });

  test("lets an emergency pass while an ordinary object is stuck on its way", async () => {
    const folder = temporaryFolder();
    const database = join(folder, "sensor.db");
    const db = openReadings(database);
    appendReadings(db, 200);
    setPipelineType(db, { type: "emergency", by: "test", now: Date.now() });
    const lake = await openS3Lake(server());
    let release = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    const proxy = await startS3Proxy(server().endpoint, (line) =>
      /^PUT .*\/raw\/.*\.parquet/.test(line) ? { passOnAfter: released } : undefined,
    );
    onTestFinished(() => proxy.stop());
    const env = { ...lake.environment, AWS_ENDPOINT_URL_S3: proxy.endpoint };
    const args = ["--sqlite", database, "--node-id", "press-7", "--once", "--max-batch-size", "100"];
    const uploader = startProgram("uploader", args, { cwd: folder, env });
    await until("the ordinary object is on its way", () =>
      proxy.requests.some((line) => /^PUT .*\/raw\/.*\.parquet/.test(line)),
    );
    await until("the emergencies have arrived", () => lake.objects().length === 2);
    expect(lake.objects().map(({ name }) => name.route.type)).toEqual(["emergency", "emergency"]);
    release();
    expect(await uploader.finished).toMatchObject({ code: 0 });
    await expectEveryRowOnce(lake.objects(), { database });
  });

  test("that waits for a sink out of reach does not keep a signal waiting, with --once", async () => {
    const folder = temporaryFolder();
    const database = join(folder, "sensor.db");
    appendReadings(openReadings(database), 100);
    const lake = await openS3Lake(server());
    const proxy = await startS3Proxy(server().endpoint, () => ({ cut: "before" }));
    onTestFinished(() => proxy.stop());
    const env = { ...lake.environment, AWS_ENDPOINT_URL_S3: proxy.endpoint };
    const args = ["--sqlite", database, "--node-id", "press-7", "--once"];
    const uploader = startProgram("uploader", args, { cwd: folder, env });
    await uploader.untilOutput(/not delivered; it is tried again/);
    uploader.process.kill("SIGTERM");
    const { code, stdout } = await uploader.finished;
    expect({ code, stdout }).toMatchObject({
      code: 0,
      stdout: expect.stringContaining("left in the outbox"),
    });
    expect(stdout).not.toContain("given up for now");
  });
});

function setUp() {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  const db = openReadings(database);
  const args = ["--sqlite", database, "--node-id", "press-7"];
  return {
    folder,
    database,
    db,
    lake: join(folder, "lake"),
    start: (...more: string[]) => startProgram("uploader", [...args, ...more], { cwd: folder }),
    run: (...more: string[]) => runProgram("uploader", [...args, ...more], { cwd: folder }),
  };
}

describe("a state folder", () => {
  test("serves one uploader at a time, and the second says who holds it", async () => {
    const { db, start, run } = setUp();
    appendReadings(db, 10);
    const first = start("--directory", "lake", "--interval", "30");
    await first.untilOutput(/"msg":"delivered"/);
    const second = await run("--directory", "lake", "--once");
    expect(second.code).toBe(1);
    expect(second.stderr).toContain(`process ${first.process.pid} on `);
    expect(second.stderr).toMatch(/state_dir.*node_id/);

    first.process.kill("SIGKILL");
    await first.finished;
    expect(await run("--directory", "lake", "--once"), "its holder is dead").toMatchObject({ code: 0 });
  });

  test.each([
    ["an object is struck", "delivered_at"],
    ["a statistic is noted", "recorded"],
  ])(
    "that cannot be written when %s ends the uploader with a word to the operator, and loses nothing",
    async (_, column) => {
      const { folder, database, db, lake, start, run } = setUp();
      appendReadings(db, 10);
      expect(await run("--once", "--directory", "lake")).toMatchObject({ code: 0 });
      // Stands for a full disk, which a test cannot have.
      const state = openForTest(join(folder, "state/s3-uploader/state.db"));
      state.exec(
        `CREATE TRIGGER full_disk BEFORE UPDATE OF ${column} ON objects BEGIN SELECT RAISE(ABORT, 'no room'); END`,
      );
      appendReadings(db, 10);
      const { code, stderr } = await start("--directory", "lake", "--interval", "0.1").finished;
      expect({ code, stderr }).toEqual({
        code: 1,
        stderr: expect.stringMatching(/state\.db cannot be used: no room.*\n.*free space/),
      });
      expect(stderr).not.toMatch(/^\s+at /m);

      state.exec("DROP TRIGGER full_disk");
      expect(await run("--once", "--directory", "lake")).toMatchObject({ code: 0 });
      await expectEveryRowOnce(listObjects(lake), { database });
    },
  );

  test("remembers the destination, which changes only when that is accepted", async () => {
    const { folder, database, db, lake, run } = setUp();
    appendReadings(db, 100);
    expect(await run("--once", "--directory", "lake")).toMatchObject({ code: 0 });
    appendReadings(db, 50);
    const refused = await run("--once", "--directory", "elsewhere");
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining("--accept-new-destination") });
    expect(refused.stderr).toContain(lake);
    expect(existsSync(join(folder, "elsewhere"))).toBe(false);

    const accepted = await run("--once", "--directory", "elsewhere", "--accept-new-destination");
    expect(accepted).toMatchObject({ code: 0 });
    expect(listObjects(join(folder, "elsewhere")).map(({ name }) => name.rows)).toEqual([50]);
    expect(await run("--once", "--directory", "elsewhere"), "it is the destination now").toMatchObject({
      code: 0,
    });
    appendReadings(db, 25);
    const back = await run("--once", "--directory", "lake", "--accept-new-destination");
    expect(back, "its own marker lies there, and is not another's").toMatchObject({ code: 0 });
    await expectEveryRowOnce([...listObjects(lake), ...listObjects(join(folder, "elsewhere"))], { database });
  });
});

test("one bucket that is another one, once that is accepted, leaves the source this uploader's", async () => {
  const { folder, db, run } = setUp();
  const config = (bucket: string) => {
    const path = join(folder, "config.yaml");
    const buckets = `{ emergency: ${bucket} }`;
    writeFileSync(path, `directory: lake\ns3_configuration: { enabled: false, buckets: ${buckets} }\n`);
    return ["--config", path];
  };
  appendReadings(db, 10);
  expect(await run("--once", ...config("one-bucket"))).toMatchObject({ code: 0 });
  appendReadings(db, 10);
  expect(await run("--once", ...config("other-bucket"))).toMatchObject({ code: 1 });
  expect(await run("--once", ...config("other-bucket"), "--accept-new-destination")).toMatchObject({
    code: 0,
  });
  appendReadings(db, 10);
  expect(await run("--once", ...config("other-bucket"))).toMatchObject({ code: 0 });
});

describe("what waits for a node that is no longer configured", () => {
  /** A run of the node `old` to `lake`, which cannot be used, then one of `new` to `elsewhere`. */
  async function leaveBehind() {
    const { folder, db, run } = setUp();
    appendReadings(db, 10);
    writeFileSync(join(folder, "lake"), "in the way");
    expect(await run("--once", "--node-id", "old", "--directory", "lake")).toMatchObject({ code: 1 });
    rmSync(join(folder, "lake"));
    const rowsOf = (place: string, node: string) =>
      listObjects(join(folder, place)).flatMap(({ name }) => (name.node === node ? [name.rows] : []));
    const runNew = (...more: string[]) =>
      run("--once", "--node-id", "new", "--directory", "elsewhere", ...more);
    return { rowsOf, run, runNew };
  }

  test("does not go to another place unasked, and does once its own is configured again", async () => {
    const { rowsOf, run, runNew } = await leaveBehind();
    const left = await runNew();
    expect(rowsOf("elsewhere", "old")).toEqual([]);
    expect(rowsOf("elsewhere", "new"), "the others are not held up").toEqual([10]);
    expect(left.code).toBe(1);
    expect(left.stdout).toMatch(/"code":"DESTINATION_CHANGED".*directory .*lake.*--accept-new-destination/);

    expect(await run("--once", "--node-id", "old", "--directory", "lake")).toMatchObject({ code: 0 });
    expect(rowsOf("lake", "old")).toEqual([10]);
    expect(await runNew()).toMatchObject({ code: 0 });
    expect([rowsOf("elsewhere", "old"), rowsOf("elsewhere", "new")]).toEqual([[], [10]]);
  });

  test("goes to another place once that is accepted", async () => {
    const { rowsOf, runNew } = await leaveBehind();
    expect(await runNew("--accept-new-destination")).toMatchObject({ code: 0 });
    expect([rowsOf("elsewhere", "old"), rowsOf("elsewhere", "new")]).toEqual([[10], [10]]);
    expect(await runNew()).toMatchObject({ code: 0 });
  });
});

describe("a dry run", () => {
  test("tells how many rows would go where, and changes nothing", async () => {
    const { folder, database, db, run } = setUp();
    appendReadings(db, 1_234);
    db.close();
    // SQLite itself leaves its -shm and an empty -wal behind a reader that may not write.
    const contents = () => [
      readdirSync(folder).filter((name) => !/-(shm|wal)$/.test(name)),
      createHash("sha256").update(readFileSync(database)).digest("hex"),
      existsSync(`${database}-wal`) ? readFileSync(`${database}-wal`).byteLength : 0,
    ];
    const before = contents();
    const { code, stdout } = await run("--dry-run", "--directory", "lake");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^readings +raw +local-databricks-raw-local\/raw\/ +1,234 +1,234 /m);
    expect(contents()).toEqual(before);
  });

  test("counts from the cursor, and by the type that is set", async () => {
    const { folder, database, db, run } = setUp();
    appendReadings(db, 1_000);
    expect(await run("--once", "--directory", "lake")).toMatchObject({ code: 0 });
    const idle = await run("--dry-run", "--directory", "lake");
    expect(idle.stdout).toMatch(/^readings +raw +nothing new +0/m);

    appendReadings(db, 500);
    setPipelineType(db, { type: "emergency", by: "test", now: Date.now() });
    const dump = () => openForTest(database).serialize().toString("base64");
    const state = () => JSON.stringify(stateDocument(join(folder, "state/s3-uploader")));
    const before = [dump(), state(), readdirSync(folder, { recursive: true }).sort()];
    const { stdout } = await run("--dry-run", "--directory", "lake");
    expect(stdout).toMatch(/^readings +emergency +local-databricks-emergency-local\/emergency\/ +500 +50 /m);
    expect(stdout).toMatch(/^readings +emergency +local-databricks-raw-local\/raw\/ +500 +450 /m);
    expect([dump(), state(), readdirSync(folder, { recursive: true }).sort()]).toEqual(before);
  });
});

describe("rows of an open window", () => {
  const NOON = Date.parse("2024-06-01T12:00:00Z");
  const at = (seconds: number) => new Date(NOON + seconds * 1000).toISOString();

  function setUpAggregated() {
    const { folder, database, db, lake } = setUp();
    const clock = createManualClock(NOON);
    setPipelineType(db, { type: "aggregated", by: "test", now: clock.now() });
    const argv = {
      sqlite: database,
      directory: lake,
      table: "readings",
      "node-id": "press-7",
      interval: "10",
      "max-batch-size": "1000",
    };
    const options = { cwd: folder, argv, clock, sleep: clock.sleep };
    const isQuiet = () => clock.waits() === 3;
    return {
      ...{ folder, database, db, lake, clock },
      once: () => uploadOnce(options),
      rowsByRange: () =>
        listObjects(lake).map(({ name }) => [name.route.type, name.range.first, name.range.last]),
      async start() {
        const running = startInProcess(options);
        await until("the first cycle is over", isQuiet);
        return running;
      },
      /** Moves the clock on, and waits for the cycle and the deliveries that follow from it. */
      async pass(seconds: number) {
        for (let passed = 0; passed < seconds; passed += 10) {
          clock.advance(Math.min(10, seconds - passed) * 1000);
          await until("the cycle is over", isQuiet);
        }
      },
    };
  }

  test("wait for its end and a grace, while those of closed windows are shipped", async () => {
    const { db, database, lake, start, pass, rowsByRange } = setUpAggregated();
    appendReadings(db, 30, { timestamp: at(-120) });
    appendReadings(db, 20, { timestamp: at(5) });
    const uploader = await start();
    expect(rowsByRange()).toEqual([["aggregated", 1n, 30n]]);
    await pass(30);
    appendReadings(db, 20, { timestamp: at(25) });
    await pass(30);
    expect(rowsByRange(), "at the end of the window").toEqual([["aggregated", 1n, 30n]]);
    await pass(10);
    expect(rowsByRange()).toEqual([
      ["aggregated", 1n, 30n],
      ["aggregated", 31n, 70n],
    ]);
    expect(await uploader.stop()).toBe(0);
    const [row] = await readRows(listObjects(lake).slice(1));
    expect(row).toMatchObject({ window_start: new Date(at(0)), window_end: new Date(at(60)) });
    await expectEveryRowOnce(listObjects(lake), { database });
  });

  test("of a sensor whose clock is in the future stall the others for a window and a grace, no longer", async () => {
    const { db, database, lake, start, pass, rowsByRange } = setUpAggregated();
    appendReadings(db, 1, { timestamp: at(86_400) });
    appendReadings(db, 50, { timestamp: at(-120) });
    const uploader = await start();
    await pass(30);
    appendReadings(db, 1, { timestamp: at(86_400) });
    appendReadings(db, 50, { timestamp: at(-60) });
    await pass(30);
    expect(rowsByRange()).toEqual([]);
    await pass(10);
    expect(rowsByRange(), "what was there when the wait began").toEqual([["aggregated", 1n, 51n]]);
    await pass(50);
    expect(rowsByRange()).toHaveLength(1);
    await pass(30);
    expect(rowsByRange()).toEqual([
      ["aggregated", 1n, 51n],
      ["aggregated", 52n, 102n],
    ]);
    expect(await uploader.stop()).toBe(0);
    await expectEveryRowOnce(listObjects(lake), { database });
  });

  test("go to the new type when the type changes", async () => {
    const { db, database, lake, clock, start, pass, rowsByRange } = setUpAggregated();
    appendReadings(db, 40, { timestamp: at(5) });
    const uploader = await start();
    await pass(10);
    expect(rowsByRange()).toEqual([]);
    setPipelineType(db, { type: "raw", by: "test", now: clock.now() });
    await pass(1);
    expect(rowsByRange()).toEqual([["raw", 1n, 40n]]);

    // A hold that is over has no say in the next one.
    setPipelineType(db, { type: "aggregated", by: "test", now: clock.now() });
    await pass(100);
    appendReadings(db, 40, { timestamp: at(115) });
    await pass(10);
    expect(rowsByRange()).toHaveLength(1);
    await pass(70);
    expect(rowsByRange()).toHaveLength(2);
    expect(await uploader.stop()).toBe(0);
    await expectEveryRowOnce(listObjects(lake), { database });
  });

  test("are shipped by --once, which nobody comes back for", async () => {
    const { db, database, lake, once, rowsByRange } = setUpAggregated();
    appendReadings(db, 40, { timestamp: at(5) });
    expect(await once()).toBe(0);
    expect(rowsByRange()).toEqual([["aggregated", 1n, 40n]]);
    await expectEveryRowOnce(listObjects(lake), { database });
  });
});
