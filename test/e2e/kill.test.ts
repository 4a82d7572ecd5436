import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { stateDocument } from "../../src/cli/state-report.ts";
import { appendReadings, openReadings } from "../support/readings.ts";
import { openS3Lake } from "../support/s3-lake.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { createRandom } from "../support/seeded-random.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { type Running, runProgram, startProgram } from "../support/uploader-process.ts";
import { expectEveryRowOnce } from "../support/whole-lake.ts";

const KILLS = 30;
const BATCH = 40;
const READINGS = 24_000;
/** Of an image: 40 of them make an object that is sent in parts. */
const IMAGE_BYTES = 450_000;
const IMAGES = 3 * BATCH;

suiteFor("versitygw", "kill -9", (server) => {
  test("30 kills at random moments lose nothing, double nothing and overwrite nothing", async () => {
    const seed = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000);
    process.stdout.write(`kill.test.ts: TEST_SEED=${seed}\n`);
    const random = createRandom(seed);
    const folder = temporaryFolder();
    const database = join(folder, "sensor.db");
    const db = openReadings(database);
    appendReadings(db, READINGS);
    db.exec("CREATE TABLE images (id INTEGER PRIMARY KEY, taken_at TEXT NOT NULL, image BLOB)");
    const insert = db.prepare("INSERT INTO images VALUES (?, ?, ?)");
    db.transaction(() => {
      for (let id = 1; id <= IMAGES; id++)
        insert.run(id, new Date(id * 1000).toISOString(), randomBytes(IMAGE_BYTES));
    })();
    const lake = await openS3Lake(server());
    const options = { cwd: folder, env: { ...lake.environment, STATE_DIR: "state" } };
    const flags = ["--sqlite", database, "--table", "readings,images", "--node-id", "press-7"];
    const small = ["--interval", "0.1", "--max-batch-size", String(BATCH)];
    const set = ["set", "emergency", "--db", database];
    expect(await runProgram("pipeline-manager", set)).toMatchObject({ code: 0 });

    const seen = new Map<string, string>();
    const overwritten: string[] = [];
    async function noteVersions(): Promise<void> {
      for (const [object, version] of await lake.versions()) {
        if (object.includes("/_owner/")) continue;
        if (seen.has(object) && seen.get(object) !== version) overwritten.push(object);
        seen.set(object, version);
      }
    }

    const moments: ((uploader: Running) => Promise<unknown>)[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const lines = 1 + Math.floor(random() * 40);
      const milliseconds = random() * 1_500;
      // In the middle of a large object first, then while it starts, and most often while it is at work.
      if (kill < 4) moments.push(() => until("an object is being sent in parts", lake.hasOpenUpload));
      else if (kill % 4 === 0)
        moments.push(() => new Promise((resolve) => setTimeout(resolve, milliseconds)));
      else moments.push((uploader) => untilLines(uploader, lines));
    }
    for (const moment of moments) {
      const uploader = startProgram("uploader", [...flags, ...small], options);
      await moment(uploader);
      uploader.process.kill("SIGKILL");
      expect(await uploader.finished).toMatchObject({ signal: "SIGKILL" });
      await noteVersions();
    }
    const rowsBefore = stateDocument(join(folder, "state")).sources.reduce(
      (sum, source) => sum + source.delivered.rows,
      0,
    );
    expect(rowsBefore, "the kills came too late").toBeLessThan(READINGS + IMAGES);

    const last = await runProgram(
      "uploader",
      [...flags, "--once", "--max-batch-size", String(BATCH)],
      options,
    );
    expect(last).toMatchObject({ code: 0 });
    await noteVersions();
    expect(overwritten).toEqual([]);
    await expectEveryRowOnce(lake.objects(), { database });
    await expectEveryRowOnce(lake.objects(), {
      database,
      table: "images",
      columns: ["taken_at", "image"],
    });
    expect(readdirSync(join(folder, "state", "outbox"))).toEqual([]);
    expect(await lake.openUploads()).toEqual([]);

    const versions = await lake.versions();
    const again = await runProgram("uploader", [...flags, "--once"], options);
    expect(again).toMatchObject({ code: 0 });
    const isObject = ([name]: [string, string]) => !name.includes("/_owner/");
    expect([...(await lake.versions())].filter(isObject)).toEqual([...versions].filter(isObject));
  }, 150_000);
});

/** Resolves when the uploader has logged so many lines. */
async function untilLines(uploader: Running, lines: number): Promise<void> {
  const count = () => uploader.output().split("\n").length - 1;
  await until(`${lines} lines are logged`, () => count() >= lines || uploader.process.exitCode !== null);
}
