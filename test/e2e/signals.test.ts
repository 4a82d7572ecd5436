import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { stateDocument } from "../../src/cli/state-report.ts";
import { appendReadings, openReadings } from "../support/readings.ts";
import { openS3Lake } from "../support/s3-lake.ts";
import { startS3Proxy } from "../support/s3-proxy.ts";
import { type S3Server, suiteFor } from "../support/s3-servers.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { runProgram, startProgram } from "../support/uploader-process.ts";
import { expectEveryRowOnce } from "../support/whole-lake.ts";

const OBJECTS = 5;

suiteFor("versitygw", "signals", (server) => {
  test("the first SIGTERM finishes the object in hand, begins no other, and the next run goes on", async () => {
    const { folder, database, lake, uploader, once, release } = await stuckUploader(server());
    uploader.process.kill("SIGTERM");
    await uploader.untilOutput(/SIGTERM: stops after what is in hand/);
    expect(lake.objects()).toEqual([]);
    release();
    expect(await uploader.finished).toMatchObject({ code: 0 });

    expect(lake.objects()).toHaveLength(1);
    const [source] = stateDocument(join(folder, "state")).sources;
    expect(source?.delivered).toMatchObject({ objects: 1, rows: 20 });
    expect(source?.waiting).toMatchObject({ objects: OBJECTS - 1 });
    expect(readdirSync(join(folder, "state", "outbox"))).toHaveLength(OBJECTS - 1);

    expect(await once()).toMatchObject({ code: 0 });
    expect(lake.objects()).toHaveLength(OBJECTS);
    await expectEveryRowOnce(lake.objects(), { database });
  });

  test("the second SIGTERM ends it at once, and what it had sent without an answer is not sent again", async () => {
    const { folder, database, lake, uploader, once, release } = await stuckUploader(server());
    uploader.process.kill("SIGTERM");
    await uploader.untilOutput(/SIGTERM: stops after what is in hand/);
    uploader.process.kill("SIGTERM");
    expect(await uploader.finished).toMatchObject({ code: 143 });
    expect(lake.objects()).toEqual([]);
    expect(stateDocument(join(folder, "state")).sources[0]?.delivered.objects).toBe(0);

    // The request was on its way all the same.
    release();
    await until("the object arrives late", () => lake.objects().length === 1);
    const versions = await lake.versions();
    const next = await once();
    expect(next).toMatchObject({ code: 0, stdout: expect.stringContaining("was delivered already") });
    await expectEveryRowOnce(lake.objects(), { database });
    const [first] = lake.objects();
    const name = `${first?.bucket}/${first?.key}`;
    expect((await lake.versions()).get(name)).toBe(versions.get(name));
    expect(readdirSync(join(folder, "state", "outbox"))).toEqual([]);
    expect(await lake.openUploads()).toEqual([]);
  });
});

/** An uploader with everything extracted, whose first object has left it and is held on its way. */
async function stuckUploader(server: S3Server) {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  appendReadings(openReadings(database), OBJECTS * 20);
  const lake = await openS3Lake(server);
  let release = () => {};
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const proxy = await startS3Proxy(server.endpoint, (line) =>
    /^PUT .*\.parquet/.test(line) ? { passOnAfter: released } : undefined,
  );
  onTestFinished(() => proxy.stop());
  const args = ["--sqlite", database, "--node-id", "press-7", "--max-batch-size", "20"];
  const env = { ...lake.environment, AWS_ENDPOINT_URL_S3: proxy.endpoint, STATE_DIR: "state" };
  const uploader = startProgram("uploader", args, { cwd: folder, env });
  const isExtracted = () => uploader.output().split('"msg":"extracted"').length > OBJECTS;
  await until(
    "all is extracted and one object sent",
    () => isExtracted() && proxy.requests.some((line) => /^PUT .*\.parquet/.test(line)),
  );
  const once = () => runProgram("uploader", [...args, "--once"], { cwd: folder, env });
  return { folder, database, lake, uploader, once, release };
}
