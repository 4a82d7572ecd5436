import { execFileSync } from "node:child_process";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { appendReadings } from "../support/readings.ts";
import { mountSmallDisk, whyNoMount } from "../support/small-disk.ts";
import { suiteWith } from "../support/suite-with.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import type { Running } from "../support/uploader-process.ts";
import { openSite, tallyScenario } from "./campaign.ts";

const tally = tallyScenario("3 disk: full, failing, read-only");
const CONTINUOUS = ["--interval", "0.1", "--max-batch-size", "500"];

function expectNoStack({ output }: Running): void {
  expect(output()).not.toMatch(/\\n\s+at |"stack"/);
}

async function stop(uploader: Running): Promise<void> {
  uploader.process.kill("SIGTERM");
  expect(await uploader.finished).toMatchObject({ code: 0, stderr: "" });
}

suiteWith(whyNoMount(), "a disk of its own", () => {
  test("that is full stops the extraction with a word, and it goes on when there is room", async () => {
    const folder = temporaryFolder();
    const disk = mountSmallDisk(join(folder, "state"), 2_000);
    const site = await openSite({ folder });
    appendReadings(site.db, 100);
    const uploader = site.start(CONTINUOUS);
    await uploader.untilOutput(/"msg":"delivered"/);
    disk.fill();
    appendReadings(site.db, 5_000);
    await uploader.untilOutput(/STATE_UNWRITABLE[^\n]*not extracted; nothing is lost/);
    expectNoStack(uploader);
    disk.free();
    await until(
      "all is delivered",
      () => site.place.objects().reduce((sum, { name }) => sum + name.rows, 0) === 5_100,
    );
    await stop(uploader);
    tally.add(await site.check());
  });

  test("that is full when an object is struck has it struck later, not put again", async () => {
    const folder = temporaryFolder();
    const disk = mountSmallDisk(join(folder, "state"), 2_000);
    const lake = mountSmallDisk(join(folder, "lake"), 500);
    const site = await openSite({ folder });
    appendReadings(site.db, 10);
    const uploader = site.start(CONTINUOUS);
    await uploader.untilOutput(/"msg":"delivered"/);
    lake.fill();
    appendReadings(site.db, 200);
    await uploader.untilOutput(/SINK_UNAVAILABLE[^\n]*not delivered; it is tried again/);
    disk.fill();
    lake.free();
    await uploader.untilOutput(/STATE_UNWRITABLE[^\n]*not delivered; it is tried again/);
    await site.observer.look();
    expectNoStack(uploader);
    disk.free();
    await uploader.untilOutput(/was delivered already/);
    await stop(uploader);
    tally.add(await site.check());
  });

  test("that is full at the start is named, and nothing is lost", async () => {
    const folder = temporaryFolder();
    const disk = mountSmallDisk(join(folder, "state"), 2_000);
    const site = await openSite({ folder });
    appendReadings(site.db, 100);
    expect(await site.ship()).toMatchObject({ code: 0 });
    appendReadings(site.db, 5_000);
    disk.fill();
    const { code, stdout, stderr } = await site.run(["--once"]);
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(/cannot be used: .*\n?.*free space/);
    expect(stdout + stderr).not.toMatch(/^\s+at /m);
    disk.free();
    tally.add(await site.check());
  });

  test("that turns read-only is named, and nothing is lost", async () => {
    const folder = temporaryFolder();
    const disk = mountSmallDisk(join(folder, "state"), 2_000);
    const site = await openSite({ folder });
    appendReadings(site.db, 100);
    expect(await site.ship()).toMatchObject({ code: 0 });
    appendReadings(site.db, 100);
    disk.setReadOnly(true);
    const { code, stderr } = await site.run(["--once"]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/cannot be used.*\n.*write/) });
    disk.setReadOnly(false);
    tally.add(await site.check());
  });
});

describe("a disk that fails once", () => {
  test.each([
    ["before-open:EMFILE", 200],
    ["before-write:ENOSPC", 200],
    ["before-write:ENOSPC:2", 200],
    // The first row group is written while rows are still being read.
    ["before-write:ENOSPC", 70_000],
    ["after-write:EIO:2", 70_000],
    ["before-file-sync:EIO", 200],
    ["before-folder-sync:EIO", 200],
  ])("at %s, of %i rows, loses nothing: they go into other files later", async (failpoint, rows) => {
    const site = await openSite();
    appendReadings(site.db, rows);
    site.setType("emergency");
    const uploader = site.start(["--interval", "0.1"], { UPLOADER_FAILPOINT: failpoint });
    await uploader.untilOutput(
      /STATE_UNWRITABLE[^\n]*not extracted; nothing is lost[\s\S]*"msg":"delivered"/,
    );
    expectNoStack(uploader);
    await stop(uploader);
    tally.add(await site.check());
  });
});

const FIU = ["fiu_run_preload.so", "fiu_posix_preload.so"].map((name) => join("/usr/lib/fiu", name));
const whyNoFiu = FIU.every((path) => existsSync(path)) ? null : "fiu-utils is not installed";

suiteWith(whyNoFiu, "a disk whose fsync fails", () => {
  test("is trusted with nothing until a sync has succeeded", async () => {
    const site = await openSite();
    expect(await site.ship()).toMatchObject({ code: 0 });
    appendReadings(site.db, 200);
    const uploader = site.start(CONTINUOUS, {
      LD_PRELOAD: FIU.join(" "),
      // Of what fsync is asked for: the objects and their folder. SQLite asks for fdatasync.
      FIU_ENABLE: "enable name=posix/io/sync/fsync,failinfo=5",
      FIU_CTRL_FIFO: join(site.folder, "fiu"),
    });
    await uploader.untilOutput(/EIO[^\n]*not extracted; nothing is lost[\s\S]*EIO[^\n]*not extracted/);
    expect(site.place.objects()).toEqual([]);
    expectNoStack(uploader);
    execFileSync("fiu-ctrl", [
      "-f",
      join(site.folder, "fiu"),
      "-c",
      "disable name=posix/io/sync/fsync",
      String(uploader.process.pid),
    ]);
    await uploader.untilOutput(/"msg":"delivered"/);
    await stop(uploader);
    tally.add(await site.check());
  });
});

test("an outbox that is full makes the rows wait in the source until it has room", async () => {
  const site = await openSite();
  const settings = "outbox_max_mb: 0.05\ns3_batch_size_mb: 0.02\n";
  writeFileSync(join(site.folder, "databricks-uploader-config.yaml"), settings);
  appendReadings(site.db, 5_000);
  const { code, stdout, stderr } = await site.run(["--once", "--max-batch-size", "200"]);
  expect({ code, stdout }, stderr).toEqual({
    code: 0,
    stdout: expect.stringContaining("the outbox is full"),
  });
  tally.add(await site.check());
});
