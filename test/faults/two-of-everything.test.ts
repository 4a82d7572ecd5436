import { cpSync, existsSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { stateDocument } from "../../src/cli/state-report.ts";
import type { UploaderError } from "../../src/core/errors.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import type { Twice } from "../support/lake-contents.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { appendReadings } from "../support/readings.ts";
import { type LogLine, type RunningInProcess, startInProcess } from "../support/run-in-process.ts";
import { type S3Server, suiteFor } from "../support/s3-servers.ts";
import { suiteWith } from "../support/suite-with.ts";
import { until } from "../support/until.ts";
import { type Running, runProgram } from "../support/uploader-process.ts";
import { NODE, openSite, type Site, tallyScenario } from "./campaign.ts";
import { appendLarge } from "./large-rows.ts";
import { firstOf, openNetworkSite } from "./network-site.ts";

const LOOK_EVERY_MS = 60_000;
const INTERVAL_MS = 10_000;
const RACES = 300;
const PROCESS_RACES = 30;

const tally = tallyScenario("5 two of everything");

const FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";

/** Another uploader of the same site, in the test's process, which follows its own clock. */
interface Other {
  readonly running: RunningInProcess;
  readonly stateDir: string;
  /** Moves its clock on, and waits for the cycle and the deliveries that follow from it. */
  pass(milliseconds: number): Promise<void>;
  refusal(): LogLine | undefined;
  /** Lets time pass until it has ended by itself. */
  end(): Promise<0 | 1>;
}

async function startOther(site: Site, stateDir: string): Promise<Other> {
  const clock = createManualClock(Date.now());
  const flags = { "state-dir": stateDir, interval: String(INTERVAL_MS / 1000) };
  const running = site.startHere(flags, { clock, sleep: clock.sleep });
  // The loop and both lanes wait.
  const isQuiet = () => clock.waits() === 3;
  let isOver = false;
  const over = () => {
    isOver = true;
  };
  running.finished.then(over, over);
  await until("its first cycle is over", isQuiet);
  return {
    running,
    stateDir,
    async pass(milliseconds) {
      for (let passed = 0; passed < milliseconds; passed += INTERVAL_MS) {
        clock.advance(INTERVAL_MS);
        await until("the cycle is over", () => isOver || isQuiet());
      }
    },
    async end() {
      await until("it has ended", () => {
        clock.advance(250);
        return isOver;
      });
      return running.finished;
    },
    refusal: () => running.log.find(({ err }) => err?.code === "OWNED_BY_ANOTHER"),
  };
}

/** What a state has counted as delivered. */
function deliveredBy(stateDir: string): { readonly objects: number; readonly rows: number } {
  const { objects = 0, rows = 0 } = stateDocument(stateDir).sources[0]?.delivered ?? {};
  return { objects, rows };
}

/** Both of the rows from `first` to `last`, which the other state delivered as well as ours. */
async function checkTwice(
  site: Site,
  [first, last]: readonly [number, number],
  twice: Omit<Twice, "rowids">,
): Promise<void> {
  const rowids = new Set(Array.from({ length: last - first + 1 }, (_, index) => BigInt(first + index)));
  tally.add(await site.check([{ name: "readings", twice: { ...twice, rowids } }]));
}

test("of two uploaders that start together on one state folder one works, and the other says who does", async () => {
  for (let race = 0; race < PROCESS_RACES; race++) {
    const site = await openSite();
    appendReadings(site.db, 100);
    const both = [1, 2].map(() => site.start(["--interval", "0.1"]));
    const loser = await Promise.race(both.map((each) => each.finished));
    const [winner] = both.filter(({ process }) => process.exitCode === null);
    expect(loser).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /Another uploader works on the state folder .*: (process \d+|it has not said)/,
      ),
    });
    await winner?.untilOutput(/"msg":"delivered"/);
    // One that comes later is told who it is.
    const holder = `process ${winner?.process.pid} on ${hostname()}, since 20`;
    expect(await site.start(["--once"]).finished).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(holder),
    });
    winner?.process.kill("SIGTERM");
    expect(await winner?.finished).toMatchObject({ code: 0, stderr: "" });
    tally.add(await site.check());
  }
}, 600_000);

describe("one node id, two state folders, with a directory", () => twoFolders(PROCESS_RACES / 6));

suiteFor("versitygw", "one node id, two state folders", (server) => {
  twoFolders(PROCESS_RACES, server);

  /** Which uploads are open. */
  const LISTING = /^GET .*[?&]uploads/;

  test.each([
    ["aborts that upload", false],
    ["may not see that upload", true],
  ])(
    "one whose upload takes more than a minute, while another takes its source over, and %s: its object never appears",
    async (_, isHidden) => {
      const site = await openNetworkSite(server());
      const { database, folder, environment } = site;
      appendLarge(site.db);
      let release = () => {};
      const passOnAfter = new Promise<void>((resolve) => {
        release = resolve;
      });
      const hold = firstOf(/^PUT .*partNumber=2/, 1, { passOnAfter });
      const denied = { answer: { status: 403, code: "AccessDenied" } };
      site.setNetwork((line) => (isHidden && LISTING.test(line) ? denied : hold(line)));
      const isHeld = () => site.proxy.requests.some((line) => /^PUT .*partNumber=2/.test(line));
      const clock = createManualClock(Date.now());
      const argv = { sqlite: database, table: "readings", "node-id": NODE, "state-dir": "slow", once: true };
      const slow = startInProcess({ argv, env: environment, cwd: folder, clock, sleep: clock.sleep });
      await until("its upload is on its way", isHeld);
      clock.advance(LOOK_EVERY_MS);
      const flags = ["--sqlite", database, "--table", "readings", "--node-id", NODE, "--yes"];
      const rebuilt = await runProgram("uploader", ["state", "rebuild", ...flags], {
        cwd: folder,
        env: environment,
      });
      expect(rebuilt).toMatchObject({ code: 0, stderr: "" });
      expect(await site.run()).toBe(0);
      release();
      if (!isHidden) {
        await until("it is to be tried again", () =>
          slow.log.some(({ err }) => err?.code === "SINK_UNAVAILABLE"),
        );
        clock.advance(LOOK_EVERY_MS);
      }
      expect(await slow.finished).toBe(1);
      expect(slow.log.find(({ err }) => err?.code === "OWNED_BY_ANOTHER")).toMatchObject({ level: 50 });
      expect(site.place.objects().map(({ name }) => name.generation)).toEqual([2]);
      tally.add(await site.check());
    },
  );

  test(`at the same moment, ${RACES} times: always one of them, and never a row of the other`, async () => {
    for (let race = 0; race < RACES; race++) {
      const site = await openSite({ server: server(), isInProcess: true });
      appendReadings(site.db, 30);
      const folders = ["a", "b", "c"].map((name) => join(site.folder, name));
      const results = await Promise.allSettled(
        folders.map((folder) => site.startHere({ once: true, "state-dir": folder }).finished),
      );
      const outcomes = results.map((result) =>
        result.status === "fulfilled" ? result.value : (result.reason as UploaderError).code,
      );
      expect([...outcomes].sort()).toEqual([0, "OWNED_BY_ANOTHER", "OWNED_BY_ANOTHER"]);
      renameSync(folders[outcomes.indexOf(0)] as string, site.stateDir);
      tally.add(await site.check());
    }
  }, 600_000);
});

/** Two machines that were given one name. @param server left out: a folder */
function twoFolders(races: number, server?: () => S3Server): void {
  test("one after the other: the second ships nothing and says why", async () => {
    const site = await openSite({ server: server?.() });
    appendReadings(site.db, 100);
    expect(await site.run(["--once"])).toMatchObject({ code: 0 });
    appendReadings(site.db, 20);
    const second = await site.run(["--once", "--state-dir", "second"]);
    expect(second).toMatchObject({ code: 1, stderr: expect.stringContaining("another state ships it") });
    expect(site.place.objects()).toHaveLength(1);
    tally.add(await site.check());
  });

  test("at the same moment, two machines: one ships everything, the other nothing", async () => {
    for (let race = 0; race < races; race++) {
      // The two are processes; the runs of the checker, with a server, are not.
      const site = await openSite({ server: server?.(), isInProcess: server !== undefined });
      appendReadings(site.db, 100);
      const runs = await Promise.all([
        site.run(["--once"]),
        site.run(["--once", "--state-dir", join(site.folder, "second")]),
      ]);
      expect(runs.map(({ code }) => code).sort()).toEqual([0, 1]);
      const loser = runs.find(({ code }) => code === 1);
      expect(loser?.stderr).toContain("another state ships it");
      if (runs[0].code === 1) {
        // What the checker looks at is the folder of the one that ships.
        rmSync(site.stateDir, { recursive: true });
        cpSync(join(site.folder, "second"), site.stateDir, { recursive: true });
      }
      tally.add(await site.check());
    }
  }, 600_000);
}

describe("copies of one state, with a directory", () => takeOver());
suiteFor("versitygw", "copies of one state", takeOver);

/** Copies of a state, and uploaders that stood still. @param server left out: a folder */
function takeOver(server?: () => S3Server): void {
  test("a state folder that is copied while its uploader runs: the older one stops, at its next look", async () => {
    const site = await openSite({ server: server?.(), isInProcess: server !== undefined });
    appendReadings(site.db, 100);
    const older = await startOther(site, join(site.folder, "older"));
    cpSync(older.stateDir, site.stateDir, { recursive: true });
    // What the copy was begun with is delivered before it starts; it finds it there.
    expect(await site.ship()).toMatchObject({ code: 0 });
    await older.pass(LOOK_EVERY_MS);
    appendReadings(site.db, 40);
    await older.pass(INTERVAL_MS);
    expect(await older.end()).toBe(1);
    expect(older.refusal()).toMatchObject({
      level: 50,
      err: { message: expect.stringContaining("a copy of this state has taken it over") },
    });
    expect(stateDocument(older.stateDir).sources[0]?.waiting.rows, "extracted, and kept").toBe(40);
    expect(await site.ship()).toMatchObject({ code: 0 });
    tally.add(await site.check());
  });

  test("what two copies ship in the minute between two looks comes twice, no more, and the columns show it", async () => {
    const site = await openSite({ server: server?.(), isInProcess: server !== undefined });
    appendReadings(site.db, 100);
    const older = await startOther(site, join(site.folder, "older"));
    cpSync(older.stateDir, site.stateDir, { recursive: true });
    const before = deliveredBy(older.stateDir);
    expect(await site.ship()).toMatchObject({ code: 0 });
    appendReadings(site.db, 30);
    await older.pass(INTERVAL_MS);
    appendReadings(site.db, 20);
    expect(await site.ship()).toMatchObject({ code: 0 });
    await older.pass(LOOK_EVERY_MS);
    appendReadings(site.db, 50);
    await older.pass(INTERVAL_MS);
    expect(await older.end()).toBe(1);
    expect(older.refusal()).toBeDefined();
    expect(await site.ship()).toMatchObject({ code: 0 });

    const after = deliveredBy(older.stateDir);
    const elsewhere = { objects: after.objects - before.objects, rows: after.rows - before.rows };
    expect(elsewhere.rows).toBe(50);
    const numbered = site.place.objects().filter(({ name }) => name.sequence === 2);
    expect(numbered, "two objects have one number").toHaveLength(2);
    // What was read in that minute, and nothing of what came later.
    await checkTwice(site, [101, 150], { told: "_extracted_at", elsewhere });
  });

  test("a state that is restored from a back-up of yesterday is refused, and the way out loses and doubles nothing", async () => {
    const site = await openSite({ server: server?.(), isInProcess: server !== undefined });
    appendReadings(site.db, 50);
    expect(await site.ship()).toMatchObject({ code: 0 });
    const backup = join(site.folder, "backup");
    cpSync(site.stateDir, backup, { recursive: true });
    appendReadings(site.db, 50);
    expect(await site.ship()).toMatchObject({ code: 0 });
    restore(site, backup);
    appendReadings(site.db, 10);
    const refused = await site.ship();
    expect(refused).toMatchObject({ code: 1, printed: expect.stringContaining("a copy of this state") });
    await rebuild(site);
    tally.add(await site.check());
  });

  test("so is one whose back-up was made while the uploader ran that went on delivering", async () => {
    const site = await openSite({ server: server?.(), isInProcess: server !== undefined });
    appendReadings(site.db, 50);
    const lost = await startOther(site, join(site.folder, "lost"));
    const backup = join(site.folder, "backup");
    cpSync(lost.stateDir, backup, { recursive: true });
    for (let minute = 0; minute < 2; minute++) {
      await lost.pass(LOOK_EVERY_MS);
      appendReadings(site.db, 25);
      await lost.pass(INTERVAL_MS);
    }
    expect(await lost.running.stop()).toBe(0);
    expect(site.place.objects()).toHaveLength(3);
    restore(site, backup);
    appendReadings(site.db, 10);
    expect(await site.ship()).toMatchObject({
      code: 1,
      printed: expect.stringContaining("a copy of this state"),
    });
    expect(site.place.objects()).toHaveLength(3);
    await rebuild(site);
    tally.add(await site.check());
  });

  suiteWith(
    existsSync(FAKETIME) ? null : "faketime is not installed",
    "an uploader that stands still",
    () => {
      test("for minutes, while another takes its source over, ships nothing when it goes on", async () => {
        const site = await openSite({ server: server?.(), isInProcess: server !== undefined });
        const offset = join(site.folder, "offset");
        writeFileSync(offset, "+0\n");
        appendReadings(site.db, 50);
        const first = join(site.folder, "first");
        const standing = site.start(["--interval", "0.1", "--state-dir", first], {
          LD_PRELOAD: FAKETIME,
          FAKETIME_TIMESTAMP_FILE: offset,
          FAKETIME_NO_CACHE: "1",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
        });
        await standing.untilOutput(/"msg":"delivered"/);
        stopBetweenLocks(standing, site.db);
        await rebuild(site);
        appendReadings(site.db, 30);
        expect(await site.ship()).toMatchObject({ code: 0 });
        appendReadings(site.db, 20);
        writeFileSync(offset, "+5m\n");
        standing.process.kill("SIGCONT");
        const finished = await standing.finished;
        expect(finished.code).toBe(1);
        expect(finished.stdout).toContain("another state ships it");
        expect(await site.ship()).toMatchObject({ code: 0 });
        tally.add(await site.check());
      });
    },
  );

  test("an uploader that stands still for less than a minute may ship rows twice, told apart by their generation", async () => {
    const site = await openSite({ server: server?.(), isInProcess: server !== undefined });
    appendReadings(site.db, 50);
    const standing = await startOther(site, join(site.folder, "first"));
    const before = deliveredBy(standing.stateDir);
    await rebuild(site);
    appendReadings(site.db, 30);
    expect(await site.ship()).toMatchObject({ code: 0 });
    await standing.pass(INTERVAL_MS);
    await standing.pass(LOOK_EVERY_MS);
    appendReadings(site.db, 20);
    await standing.pass(INTERVAL_MS);
    expect(await standing.end()).toBe(1);
    expect(await site.ship()).toMatchObject({ code: 0 });
    const after = deliveredBy(standing.stateDir);
    const elsewhere = { objects: after.objects - before.objects, rows: after.rows - before.rows };
    await checkTwice(site, [51, 80], { told: "_generation", elsewhere });
  });
}

/**
 * Stops it where it does not hold the sensor's lock, which it has for a tenth of a millisecond at a time to write to the
 * control tables: the sensor could not write until it went on.
 */
function stopBetweenLocks(running: Running, db: Connection): void {
  for (;;) {
    running.process.kill("SIGSTOP");
    try {
      db.exec("BEGIN IMMEDIATE; ROLLBACK");
      return;
    } catch (error) {
      if (!(error instanceof Database.SqliteError && error.code === "SQLITE_BUSY")) throw error;
      running.process.kill("SIGCONT");
      // When it has let go of it.
      db.exec("BEGIN IMMEDIATE; ROLLBACK");
    }
  }
}

test("a state folder in use cannot be rebuilt, also while its uploader stands still", async () => {
  const site = await openSite();
  appendReadings(site.db, 10);
  const standing = site.start(["--interval", "0.1"]);
  await standing.untilOutput(/"msg":"delivered"/);
  standing.process.kill("SIGSTOP");
  const refused = await site.run(["state", "rebuild", "--yes"]);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`process ${standing.process.pid} on `),
  });
  standing.process.kill("SIGCONT");
  standing.process.kill("SIGTERM");
  expect(await standing.finished).toMatchObject({ code: 0 });
  tally.add(await site.check());
});

function restore(site: Site, backup: string): void {
  rmSync(site.stateDir, { recursive: true, force: true });
  cpSync(backup, site.stateDir, { recursive: true });
}

async function rebuild(site: Site): Promise<void> {
  expect(await site.start(["state", "rebuild", "--yes"]).finished).toMatchObject({ code: 0, stderr: "" });
}
