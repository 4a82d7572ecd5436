import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { formatBytes } from "../../src/cli/text-table.ts";
import type { Failpoint } from "../../src/core/failpoints.ts";
import type { ObjectName } from "../../src/core/object-key.ts";
import { tallyScenario } from "../faults/campaign.ts";
import { appendReadings } from "../support/readings.ts";
import { runProgram, startProgram } from "../support/uploader-process.ts";
import { flagsOf } from "./command-flags.ts";
import { openSite, type Site } from "./site.ts";

const tally = tallyScenario("3 disk: state rebuilt (command)");

function sizeOf(site: Site): number {
  return site.objects().reduce((sum, { path }) => sum + statSync(path).size, 0);
}

test("it says what it found, and wants --yes where there is no terminal", async () => {
  const site = await openSite(tally);
  site.setType("emergency");
  appendReadings(site.db, 100);
  await site.upload();
  site.loseState({
    undelivered: ({ sequence, part }) => sequence === 4 || (sequence === 7 && part === 1) || sequence === 10,
  });
  const flags = flagsOf(site);
  const options = { cwd: site.folder };
  expect(await runProgram("uploader", [...flags, "--once"], options)).toMatchObject({ code: 1 });

  const asked = await runProgram("uploader", ["state", "rebuild", ...flags], options);
  expect(asked).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/no terminal.*nothing was changed[\s\S]*--yes/),
  });
  expect(asked.stdout.replace(/state [0-9a-f-]{36}/, "state ID").replace(site.stateDir, "FOLDER")).toBe(
    `Table:           readings of node press-7
In the buckets:  15 objects of generation 1, 71 rows, ${formatBytes(sizeOf(site))}
Ownership:       state ID, epoch 1, generation 1
Missing:         2 extractions: 4 of generation 1, 7 of generation 1 (1 of 2 parts are there)
Goes back to:    row 30, the end of extraction 3 of generation 1
Left out:        41 rows beyond that are delivered already
To be sent:      29 rows that the table has now
Begins:          generation 2

Any other uploader with this node id must be stopped first: what it delivers from now on may come twice.
The present state in FOLDER is moved aside, not deleted.
`,
  );

  const done = await runProgram("uploader", ["state", "rebuild", "--yes", ...flags], options);
  expect(done).toMatchObject({ code: 0, stderr: "" });
  expect(done.stdout.startsWith(asked.stdout)).toBe(true);
  expect(done.stdout).toContain("The state is rebuilt: readings goes on with generation 2.");
  expect(done.stdout).toMatch(/Moved aside: .*state\.db\.replaced-/);
  expect(await runProgram("uploader", [...flags, "--once"], options)).toMatchObject({ code: 0, stderr: "" });
  await site.check();
});

test("it leaves a state alone that an uploader works on", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 30);
  const flags = flagsOf(site);
  const running = startProgram("uploader", flags, { cwd: site.folder });
  await running.untilOutput(/"msg":"delivered"/);
  const refused = await runProgram("uploader", ["state", "rebuild", "--yes", ...flags], { cwd: site.folder });
  expect(refused).toMatchObject({
    code: 1,
    stdout: "",
    stderr: expect.stringContaining("Another uploader works on"),
  });
  running.process.kill("SIGTERM");
  expect(await running.finished).toMatchObject({ code: 0 });
  await site.check();
});

test.each<Failpoint>([
  "before-rename-of-marker",
  "before-replace",
  "after-outbox-aside",
  "after-state-aside",
  "after-replace",
])("killed %s, it is run again and loses and doubles nothing", async (step) => {
  const site = await openSite(tally);
  appendReadings(site.db, 200);
  await site.upload();
  const lost = ({ sequence }: ObjectName) => sequence % 4 === 2;
  site.loseState({ undelivered: lost });
  const rebuild = (env = {}) =>
    runProgram("uploader", ["state", "rebuild", "--yes", ...flagsOf(site)], { cwd: site.folder, env });
  // Twice, so that it comes upon what it has left behind itself.
  for (let kill = 0; kill < 2; kill++)
    expect(await rebuild({ UPLOADER_FAILPOINT: `${step}:kill` })).toMatchObject({ signal: "SIGKILL" });
  const isInPlace = step === "after-replace";
  expect(readdirSync(site.stateDir).includes("state.db.rebuilding")).toBe(!isInPlace);
  expect(existsSync(join(site.stateDir, "state.db"))).toBe(isInPlace);
  const before = site.objects().map(({ key }) => key);
  if (!isInPlace) {
    expect(await site.refusal()).toMatch(/not this uploader's to ship/);
    expect(site.objects().map(({ key }) => key)).toEqual(before);
  }
  expect(await rebuild()).toMatchObject({ code: 0, stderr: "" });
  await site.upload();
  const sent = site.objects().filter(({ key }) => !before.includes(key));
  expect(sent.reduce((sum, { name }) => sum + name.rows, 0)).toBe(50);
  await site.check();
});

test("killed before it has written a marker, it lets the uploader go on, and leaves nothing behind", async () => {
  const site = await openSite(tally);
  appendReadings(site.db, 30);
  await site.upload();
  const env = { UPLOADER_FAILPOINT: "before-rename-of-marker:kill" };
  const options = { cwd: site.folder, env };
  const killed = await runProgram("uploader", ["state", "rebuild", "--yes", ...flagsOf(site)], options);
  expect(killed).toMatchObject({ signal: "SIGKILL" });
  expect(readdirSync(site.stateDir)).toContain("state.db.rebuilding");
  appendReadings(site.db, 20);
  await site.upload();
  expect(new Set(site.objects().map(({ name }) => name.generation))).toEqual(new Set([1]));
  await site.check();
});
