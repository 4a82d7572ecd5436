import { randomBytes } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { FAILPOINTS, type Failpoint } from "../../src/core/failpoints.ts";
import { readObjectFooter } from "../../src/encode/read-object.ts";
import { type LakeObject, readRows } from "../support/lake-reader.ts";
import { appendReadings } from "../support/readings.ts";
import { readSourceState } from "../support/state-reader.ts";
import { until } from "../support/until.ts";
import type { Running } from "../support/uploader-process.ts";
import { NODE, openSite, type Site, tallyScenario } from "./campaign.ts";

const tally = tallyScenario("1 crash and failure in a backlog, which threads extract");

/** Three reads. */
const ROWS = 17_000;
/** So many that a change finds them on the way. */
const LONG = 90_000;
const STEPS = FAILPOINTS.slice(
  FAILPOINTS.indexOf("before-open"),
  FAILPOINTS.indexOf("after-commit") + 1,
) as readonly Failpoint[];
/** In the thread that encodes. */
const OF_FILES = STEPS.slice(0, STEPS.indexOf("before-folder-sync"));

describe("a backlog", () => {
  test.each(STEPS)("in which the uploader is killed %s is shipped by the next start", async (name) => {
    const site = await openSite();
    appendReadings(site.db, ROWS);
    site.setType("emergency");
    const killed = await site.run(["--once"], { UPLOADER_FAILPOINT: `${name}:kill` });
    expect(killed).toMatchObject({ signal: "SIGKILL" });
    tally.add(await site.check());
  });

  test.each(OF_FILES)("in which the disk fails %s is shipped by the next run", async (name) => {
    const site = await openSite();
    appendReadings(site.db, ROWS);
    const failed = await site.run(["--once"], { UPLOADER_FAILPOINT: `${name}:ENOSPC` });
    expect(failed).toMatchObject({ code: 1 });
    expect(failed.stdout).toMatch(/STATE_UNWRITABLE[^\n]*not extracted; nothing is lost/);
    tally.add(await site.check());
  });

  test("of each type is shipped whole, with what is rejected and what is rescued", async () => {
    const site = await openSite();
    for (const type of ["raw", "schematized", "emergency", "aggregated"] as const) {
      appendReadings(site.db, ROWS);
      site.setType(type);
      expect(await site.run(["--once"])).toMatchObject({ code: 0 });
    }
    // Of the readings every 97th has a text for its temperature.
    const rejected = site.place.objects().filter(({ name }) => name.route.rejected);
    expect(rowsIn(rejected)).toBe(Math.floor((2 * ROWS) / 97) - Math.floor(ROWS / 97));
    const raw = site.place.objects().filter(({ name }) => name.route.type === "raw" && name.generation === 1);
    const rescued = (await readRows(raw)).filter(({ _rescued }) => _rescued !== null);
    expect(rescued.length).toBeGreaterThanOrEqual(Math.floor(ROWS / 97));
    const findings = await site.check();
    expect(findings.rows).toBe(4 * ROWS);
    tally.add(findings);
  });

  test("whose revision changes on the way mixes no two in an object", async () => {
    const { site, uploader } = await startOnBacklog(["--interval", "0.1"]);
    await until("the raw object is in the making", () => inTheMaking(site));
    site.setType("emergency");
    const revision = site.db.prepare("SELECT max(id) FROM pipeline_config").pluck().get() as number;
    await until("all is delivered", () => rowsIn(site.place.objects()) === LONG);
    uploader.process.kill("SIGTERM");
    expect(await uploader.finished).toMatchObject({ code: 0 });

    const objects = site.place.objects();
    const [first] = objects.filter(({ name }) => name.sequence === 1);
    const end = Number(first?.name.range.last);
    expect(end).toBeLessThan(LONG);
    for (const { name, path } of objects) {
      const footer = await readObjectFooter(readFileSync(path));
      const isOfFirst = Number(name.range.last) <= end;
      expect(isOfFirst || Number(name.range.first) > end).toBe(true);
      expect(Object.fromEntries(footer)).toMatchObject({
        pipeline_type: isOfFirst ? "raw" : "emergency",
        revision: String(isOfFirst ? revision - 1 : revision),
      });
    }
    tally.add(await site.check());
  }, 120_000);

  test("takes no more memory when it is longer", async () => {
    const site = await openSite();
    site.db.exec(
      "DROP TABLE readings; CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, x BLOB)",
    );
    const insert = site.db.prepare("INSERT INTO readings (timestamp, x) VALUES ('a', ?)");
    const values = Array.from({ length: 500 }, () => randomBytes(10_000));
    const peaks: number[] = [];
    for (const megabytes of [100, 300]) {
      site.db.transaction(() => {
        for (let row = 0; row < megabytes * 100; row++) insert.run(values[row % values.length]);
      })();
      const rows = Number(site.db.prepare("SELECT count(*) FROM readings").pluck().get());
      const uploader = site.start(["--interval", "0.2"]);
      await until(`${rows} rows are shipped`, () => rowsIn(site.place.objects()) === rows);
      peaks.push(peakMemoryMb(uploader.process.pid as number));
      uploader.process.kill("SIGTERM");
      expect(await uploader.finished).toMatchObject({ code: 0 });
    }
    const [short = 0, long = 0] = peaks;
    // Some 20 MB; 70 where batches and pieces of files wait for a collection.
    expect(long - short).toBeLessThan(50);
    tally.add(await site.check([{ name: "readings", columns: ["timestamp"] }]));
  }, 120_000);

  test("ends with the read in hand when it is told to stop", async () => {
    const { site, uploader } = await startOnBacklog([]);
    await until("the object is in the making", () => inTheMaking(site));
    uploader.process.kill("SIGTERM");
    expect(await uploader.finished).toMatchObject({ code: 0, stderr: "" });
    const state = readSourceState(site.stateDir, NODE, "readings");
    // What was read is committed, and the rest waits.
    expect(state?.cursor).toBeGreaterThan(0n);
    expect(state?.cursor).toBeLessThan(BigInt(LONG));
    tally.add(await site.check());
  }, 120_000);
});

function peakMemoryMb(pid: number): number {
  const [, kilobytes = "0"] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}

/** With an uploader that has just begun to extract a backlog. */
async function startOnBacklog(
  flags: readonly string[],
): Promise<{ readonly site: Site; readonly uploader: Running }> {
  const site = await openSite();
  appendReadings(site.db, LONG);
  site.setType("raw");
  return { site, uploader: site.start(flags) };
}

function inTheMaking({ stateDir }: Site): boolean {
  const outbox = join(stateDir, "outbox");
  return existsSync(outbox) && readdirSync(outbox).some((file) => file.startsWith("1-1-1-raw"));
}

function rowsIn(objects: readonly LakeObject[]): number {
  return objects.reduce((sum, { name }) => sum + name.rows, 0);
}
