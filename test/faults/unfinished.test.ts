import { rmSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { outboxDocument } from "../../src/cli/outbox-report.ts";
import { type S3Server, suiteFor } from "../support/s3-servers.ts";
import { openSite, type Site, tallyScenario } from "./campaign.ts";
import { appendLarge } from "./large-rows.ts";

const tally = tallyScenario("1 crash: what an upload leaves");

describe("on a directory", () => {
  nothingIsLeft("before-link");
});

suiteFor("versitygw", "an upload in parts", (server) => {
  nothingIsLeft("after-part", server);
});

function nothingIsLeft(step: string, server?: () => S3Server): void {
  /** Killed while an object is on its way. */
  async function openKilledSite(): Promise<Site> {
    const site = await openSite({ server: server?.() });
    appendLarge(site.db);
    const killed = await site.run(["--once"], { UPLOADER_FAILPOINT: `${step}:kill` });
    expect(killed).toMatchObject({ signal: "SIGKILL" });
    expect(await site.place.leftovers()).toHaveLength(1);
    return site;
  }

  test("of an object that is set aside", async () => {
    const site = await openKilledSite();
    const { code, stdout } = await site.run(["outbox", "set-aside", "--yes"]);
    expect(code, stdout).toBe(0);
    expect(outboxDocument(site.stateDir).setAside).toHaveLength(1);
    expect(await site.place.leftovers()).toEqual([]);
    // Brings its rows back.
    expect(await site.run(["state", "rebuild", "--yes"])).toMatchObject({ code: 0 });
    tally.add(await site.check(undefined, { lossyGenerations: [1] }));
  });

  test("of an object that is lost with its state, once the state is rebuilt", async () => {
    const site = await openKilledSite();
    rmSync(site.stateDir, { recursive: true });
    expect(await site.run(["state", "rebuild", "--yes"])).toMatchObject({ code: 0 });
    expect(await site.place.leftovers()).toEqual([]);
    tally.add(await site.check(undefined, { lossyGenerations: [1] }));
  });
}
