import { expect, test } from "vitest";
import { suiteFor } from "../support/s3-servers.ts";
import { tallyScenario } from "./campaign.ts";
import { appendLarge } from "./large-rows.ts";
import { openNetworkSite } from "./network-site.ts";

/** A file of its own, so that others run while it waits. */
suiteFor("versitygw", "a slow network", (server) => {
  const tally = tallyScenario("2 network of 50 kB/s");

  test("50 kB/s is slow, and no fault", async () => {
    const site = await openNetworkSite(server(), { isPatient: true });
    // In two parts, for two minutes.
    appendLarge(site.db, 6);
    site.setNetwork(() => ({ bytesPerSecond: 50_000 }));
    expect(await site.run()).toBe(0);
    expect(site.log.filter(({ level }) => level >= 40)).toEqual([]);
    const findings = await site.check();
    expect(findings.rows).toBe(site.db.prepare("SELECT count(*) FROM readings").pluck().get());
    tally.add(findings);
  }, 900_000);
});
