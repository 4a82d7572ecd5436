import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { outboxDocument } from "../../src/cli/outbox-report.ts";
import { tallyScenario } from "../faults/campaign.ts";
import { filesBelow } from "../support/lake-place.ts";
import { runOnTerminal, whyNoTerminal } from "../support/on-terminal.ts";
import { appendReadings } from "../support/readings.ts";
import { suiteWith } from "../support/suite-with.ts";
import { flagsOf } from "./command-flags.ts";
import { openSite, type Site } from "./site.ts";

const tally = tallyScenario("3 disk: state rebuilt (asked on a terminal)");

const REBUILD = /Rebuild the state\? \[y\/N\] $/;
const CONTROL_C = "\x03";
const CONTROL_D = "\x04";

/** The state and the lake, but for the lock and its note. */
function snapshot({ folder, stateDir }: Site): string[] {
  const files = [stateDir, join(folder, "lake")].flatMap((below) =>
    filesBelow(below).map((path) => join(below, path)),
  );
  return files
    .filter((path) => !/lock\.(db|json)|markers\.db/.test(path))
    .map((path) => `${path} ${readFileSync(path).toString("base64")}`);
}

suiteWith(whyNoTerminal(), "a command that asks on a terminal", () => {
  test.each([
    ["no", "n\n"],
    ["nothing", "\n"],
    ["something else", "of course\n"],
    ["Ctrl-D", CONTROL_D],
    ["Ctrl-C", CONTROL_C],
  ])("says what it found, and changes nothing for an answer of %s", async (_, answer) => {
    const site = await openSite(tally);
    appendReadings(site.db, 30);
    await site.upload();
    const before = snapshot(site);
    const asked = await runOnTerminal("uploader", ["state", "rebuild", ...flagsOf(site)], {
      ...{ cwd: site.folder, question: REBUILD, answer },
    });
    expect(asked.printed).toMatch(
      /In the buckets: +3 objects of generation 1, 30 rows[\s\S]*Rebuild the state/,
    );
    expect(asked.printed).toContain("Nothing was changed.");
    expect(asked.code).toBe(1);
    expect(snapshot(site)).toEqual(before);
    await site.check();
  });

  test.each(["y\n", "YES\n"])("rebuilds the state after an answer of %j", async (answer) => {
    const site = await openSite(tally);
    appendReadings(site.db, 30);
    await site.upload();
    site.loseState({ undelivered: ({ sequence }) => sequence === 2 });
    const { code, printed } = await runOnTerminal("uploader", ["state", "rebuild", ...flagsOf(site)], {
      ...{ cwd: site.folder, question: REBUILD, answer },
    });
    expect(printed).toMatch(/Missing: +1 extractions?: 2 of generation 1[\s\S]*The state is rebuilt/);
    expect(code).toBe(0);
    await site.upload();
    await site.check();
  });

  test("sets nothing aside without a yes", async () => {
    const site = await openSite(tally);
    appendReadings(site.db, 10);
    // A file in its place.
    writeFileSync(join(site.folder, "lake"), "");
    await site.refusal();
    const args = ["outbox", "set-aside", ...flagsOf(site)];
    const ask = (answer: string) =>
      runOnTerminal("uploader", args, { cwd: site.folder, question: /Set aside\? \[y\/N\] $/, answer });
    expect(await ask("\n")).toMatchObject({
      code: 1,
      printed: expect.stringContaining("Nothing was changed."),
    });
    expect(outboxDocument(site.stateDir).waiting).toHaveLength(1);
    expect(await ask("y\n")).toMatchObject({ code: 0, printed: expect.stringContaining("Set aside: ") });
    expect(outboxDocument(site.stateDir).waiting).toHaveLength(0);
    expect(readdirSync(join(site.stateDir, "set-aside"))).toHaveLength(2);
  });
});
