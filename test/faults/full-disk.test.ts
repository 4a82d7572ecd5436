import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, onTestFinished, test } from "vitest";
import { outboxDocument } from "../../src/cli/outbox-report.ts";
import { appendReadings } from "../support/readings.ts";
import { startS3Proxy } from "../support/s3-proxy.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { mountSmallDisk, type SmallDisk, whyNoMount } from "../support/small-disk.ts";
import { suiteWith } from "../support/suite-with.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import type { Running } from "../support/uploader-process.ts";
import { openSite, type Site, tallyScenario } from "./campaign.ts";
import { appendLarge } from "./large-rows.ts";

const tally = tallyScenario("3 disk: full, failing, read-only");
const CONTINUOUS = ["--interval", "0.1", "--max-batch-size", "500"];

function expectNoStack({ output }: Running): void {
  expect(output()).not.toMatch(/\\n\s+at |"stack"/);
}

async function untilAllIsThere({ db, place }: Site): Promise<void> {
  const rows = db.prepare("SELECT count(*) FROM readings").pluck().get();
  const delivered = () => place.objects().reduce((sum, { name }) => sum + name.rows, 0);
  await until("all is delivered", () => delivered() === rows);
}

/** A site whose state is on a small disk, and which has shipped a hundred rows. */
async function shippedFromSmallDisk(): Promise<{ readonly disk: SmallDisk; readonly site: Site }> {
  const folder = temporaryFolder();
  const disk = mountSmallDisk(join(folder, "state"), 2_000);
  const site = await openSite({ folder });
  appendReadings(site.db, 100);
  expect(await site.ship()).toMatchObject({ code: 0 });
  return { disk, site };
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
    await untilAllIsThere(site);
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
    const { disk, site } = await shippedFromSmallDisk();
    appendReadings(site.db, 5_000);
    disk.fill();
    const { code, stdout, stderr } = await site.run(["--once"]);
    expect(code).toBe(1);
    expect(stdout + stderr).toMatch(/cannot be used: .*\n?.*free space/);
    expect(stdout + stderr).not.toMatch(/^\s+at /m);
    disk.free();
    tally.add(await site.check());
  });

  test.each([
    ["that is full", (disk: SmallDisk) => disk.fill(), (disk: SmallDisk) => disk.free()],
    [
      "that is read-only",
      (disk: SmallDisk) => disk.setReadOnly(true),
      (disk: SmallDisk) => disk.setReadOnly(false),
    ],
  ])("%s lets neither a rebuild nor a set-aside change anything", async (_, spoil, mend) => {
    const { disk, site } = await shippedFromSmallDisk();
    appendReadings(site.db, 100);
    const stop = { UPLOADER_FAILPOINT: "before-put:kill" };
    expect(await site.run(["--once"], stop)).toMatchObject({ signal: "SIGKILL" });
    // What is in its log is in state.db, and its lock can be had.
    expect(await site.run(["outbox", "list"])).toMatchObject({ code: 0 });
    const before = outboxDocument(site.stateDir);
    expect(before.waiting).toHaveLength(1);
    spoil(disk);
    const commands = [
      ["outbox", "set-aside", "--yes", "--table", "readings"],
      ["state", "rebuild", "--yes"],
    ];
    for (const command of commands) {
      const { code, stderr } = await site.start(command).finished;
      expect({ command, code, stderr }).toEqual({
        command,
        code: 1,
        stderr: expect.stringMatching(/\n.*(space|right to write)/),
      });
      expect(stderr).not.toMatch(/^\s+at /m);
    }
    mend(disk);
    expect(outboxDocument(site.stateDir)).toEqual(before);
    tally.add(await site.check());
  });

  test("that turns read-only is named, and nothing is lost", async () => {
    const { disk, site } = await shippedFromSmallDisk();
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
    ["before-open:EMFILE", "small"],
    ["before-write:ENOSPC", "small"],
    ["before-write:ENOSPC:2", "small"],
    // The first row group, of 32 MB, is written while rows are still being read.
    ["before-write:ENOSPC", "large"],
    ["after-write:EIO:2", "large"],
    ["before-file-sync:EIO", "small"],
    ["before-folder-sync:EIO", "small"],
    ["before-commit:EIO", "small"],
  ])("at %s, of %s rows, loses nothing: they go into other files later", async (failpoint, size) => {
    const site = await openSite();
    if (size === "large") appendLarge(site.db, 50);
    else appendReadings(site.db, 200);
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
/** Node.js asks for it for the objects and their folder, and SQLite, as better-sqlite3 builds it, for state.db. */
const FSYNC = "name=posix/io/sync/fsync";

/**
 * Starts an uploader whose fsync can be made to fail. A write that finds no space is better had from the small disks
 * above: fiu also refuses what Node.js writes to wake its own threads, and then it aborts.
 */
function startOnFiu(site: Site, env: Readonly<Record<string, string>> = {}) {
  const control = join(site.folder, "fiu");
  const preload = { LD_PRELOAD: FIU.join(" "), FIU_CTRL_FIFO: control };
  const uploader = site.start(CONTINUOUS, { ...preload, ...env });
  const tell = (command: string) =>
    execFileSync("fiu-ctrl", ["-f", control, "-c", command, String(uploader.process.pid)]);
  return {
    uploader,
    breakFsync: () => tell(`enable ${FSYNC},failinfo=5`),
    mendFsync: () => tell(`disable ${FSYNC}`),
  };
}

suiteWith(whyNoFiu, "a disk whose fsync fails", () => {
  test("is trusted with nothing until a sync has succeeded", async () => {
    const site = await openSite();
    expect(await site.ship()).toMatchObject({ code: 0 });
    appendReadings(site.db, 200);
    const { uploader, mendFsync } = startOnFiu(site, { FIU_ENABLE: `enable ${FSYNC},failinfo=5` });
    await uploader.untilOutput(/EIO[^\n]*not extracted; nothing is lost[\s\S]*EIO[^\n]*not extracted/);
    expect(site.place.objects()).toEqual([]);
    expectNoStack(uploader);
    mendFsync();
    await uploader.untilOutput(/"msg":"delivered"/);
    await stop(uploader);
    tally.add(await site.check());
  });

  test.each(["goes on", "is killed meanwhile"])(
    "once the objects are synced, and the state's commit is not: an uploader that %s has the files, whether or not it came true",
    async (how) => {
      const site = await openSite();
      appendReadings(site.db, 100);
      const { uploader, breakFsync, mendFsync } = startOnFiu(site);
      await uploader.untilOutput(/"msg":"delivered"/);
      const outbox = join(site.stateDir, "outbox");
      const failures = () => uploader.output().match(/[^\n]*"msg":"not extracted[^\n]*/g) ?? [];
      for (let hasFailed = false; !hasFailed; ) {
        await untilAllIsThere(site);
        const state = new Database(join(site.stateDir, "state.db"));
        const listed = state.prepare("SELECT count(*) FROM objects").pluck();
        await until("the state lists nothing", () => listed.get() === 0);
        // Holds the commit up until fsync fails. It may do so a moment too soon, for the object: then once more.
        state.exec("BEGIN IMMEDIATE");
        const before = failures().length;
        const garbage = completeFiles(outbox);
        appendReadings(site.db, 200);
        await until("an object is complete", () => completeFiles(outbox).length > garbage.length);
        breakFsync();
        state.exec("ROLLBACK");
        state.close();
        await until("it has failed", () => failures().length > before);
        hasFailed = /state\.db cannot be used: disk I\/O error \(SQLITE_IOERR_FSYNC\)/.test(
          failures()[before] ?? "",
        );
        if (!hasFailed) mendFsync();
      }
      expectNoStack(uploader);
      // It waits for the state, rather than to fill the outbox with what nobody counts.
      const doubtful = completeFiles(outbox);
      const failed = failures().length;
      await until("it has failed again, twice", () => failures().length >= failed + 2);
      expect(readdirSync(outbox).sort()).toEqual(doubtful.sort());
      if (how === "goes on") {
        mendFsync();
        await untilAllIsThere(site);
        await until("what was in doubt is gone", () => readdirSync(outbox).length === 0);
        await stop(uploader);
      } else {
        uploader.process.kill("SIGKILL");
        await uploader.finished;
      }
      tally.add(await site.check());
    },
  );

  suiteFor("versitygw", "once an object is stored", (server) => {
    test("it is struck later, and not stored again", async () => {
      let hasBroken = false;
      const proxy = await startS3Proxy(server().endpoint, (line) => {
        if (!hasBroken && /^PUT .*\.parquet/.test(line)) {
          breakFsync();
          hasBroken = true;
        }
        return undefined;
      });
      onTestFinished(() => proxy.stop());
      const site = await openSite({
        server: server(),
        env: { AWS_ENDPOINT_URL_S3: proxy.endpoint },
      });
      appendReadings(site.db, 200);
      const { uploader, breakFsync, mendFsync } = startOnFiu(site);
      await uploader.untilOutput(/SQLITE_IOERR_FSYNC[^\n]*not delivered; it is tried again/);
      expectNoStack(uploader);
      await site.observer.look();
      expect(site.place.objects()).toHaveLength(1);
      mendFsync();
      await uploader.untilOutput(/was delivered already/);
      await stop(uploader);
      tally.add(await site.check());
    });
  });
});

/** A Parquet file ends with the four bytes with which it begins. */
function completeFiles(folder: string): string[] {
  return readdirSync(folder).filter((name) => {
    const bytes = readFileSync(join(folder, name));
    return bytes.length > 8 && bytes.subarray(-4).toString() === "PAR1";
  });
}

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
