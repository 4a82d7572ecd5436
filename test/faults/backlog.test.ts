import { describe, expect, test } from "vitest";
import { FAILPOINTS, type Failpoint } from "../../src/core/failpoints.ts";
import { appendReadings } from "../support/readings.ts";
import { openSite, tallyScenario } from "./campaign.ts";

const tally = tallyScenario("1 crash and failure in a backlog, which threads extract");

/** Three reads. */
const ROWS = 17_000;
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
    const findings = await site.check();
    expect(findings.rows).toBe(4 * ROWS);
    tally.add(findings);
  });

  test("whose revision changes on the way mixes no two in an object", async () => {
    const site = await openSite();
    appendReadings(site.db, 3 * ROWS);
    const uploader = site.start(["--interval", "0.1"]);
    await uploader.untilOutput(/"msg":"ships what is new/);
    for (let change = 0; change < 10; change++) site.setType(change % 2 ? "raw" : "emergency");
    await uploader.untilOutput(/"msg":"delivered"/);
    uploader.process.kill("SIGTERM");
    expect(await uploader.finished).toMatchObject({ code: 0 });
    tally.add(await site.check());
  });

  test("ends with the read in hand when it is told to stop", async () => {
    const site = await openSite();
    appendReadings(site.db, 3 * ROWS);
    const uploader = site.start([]);
    await uploader.untilOutput(/"msg":"ships what is new/);
    uploader.process.kill("SIGTERM");
    expect(await uploader.finished).toMatchObject({ code: 0, stderr: "" });
    tally.add(await site.check());
  });
});
