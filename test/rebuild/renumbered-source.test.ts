import { rmSync } from "node:fs";
import { expect, test } from "vitest";
import { NODE, tallyScenario } from "../faults/campaign.ts";
import { everSeen, openSource, type SourceSite, VALUES } from "../faults/source-site.ts";
import { runProgram } from "../support/uploader-process.ts";

const tally = tallyScenario("4 the source, and its state lost");

/** The state is lost, and restored by the command. */
async function rebuild({ site }: SourceSite): Promise<string> {
  rmSync(site.stateDir, { recursive: true });
  const flags = ["--sqlite", site.database, "--table", "readings", "--node-id", NODE, "--yes"];
  const { code, stdout, stderr } = await runProgram("uploader", ["state", "rebuild", ...flags], {
    cwd: site.folder,
    env: { STATE_DIR: site.stateDir, OUTPUT_DIRECTORY: "lake", S3_ENABLED: "false" },
  });
  expect({ code, stderr }, stdout).toEqual({ code: 0, stderr: "" });
  return stdout;
}

/** A table that declares no key, and whose rows all have one timestamp; all of them are shipped. */
async function openShipped(): Promise<SourceSite> {
  const source = await openSource(VALUES, tally);
  source.insertAtOnce(100);
  await source.ship();
  return source;
}

test("a table without an INTEGER PRIMARY KEY is not sent again where VACUUM cannot have run since", async () => {
  const source = await openShipped();
  const before = source.rows();
  source.db.exec("DELETE FROM readings WHERE rowid = 40");
  expect(await rebuild(source)).not.toContain("VACUUM");
  source.insertAtOnce(10);
  await source.ship();
  await source.check([{ sinceGeneration: 1, rows: everSeen(before, source.rows()) }]);
});

test("it is sent again from its first row where VACUUM may have run before the rebuild", async () => {
  const source = await openShipped();
  const before = source.rows();
  source.db.exec("DELETE FROM readings WHERE rowid = 40; VACUUM");
  source.insertAtOnce(10);
  expect(await rebuild(source)).toMatch(/VACUUM may have given its rows other rowids/);
  await source.ship();
  await source.check([
    { sinceGeneration: 1, rows: before },
    { sinceGeneration: 2, rows: source.rows() },
  ]);
});

test("it is sent again where VACUUM runs after the rebuild", async () => {
  const source = await openShipped();
  const before = source.rows();
  await rebuild(source);
  source.db.exec("DELETE FROM readings WHERE rowid = 40; VACUUM");
  source.insertAtOnce(10);
  await source.ship();
  await source.check([
    { sinceGeneration: 1, rows: before },
    { sinceGeneration: 3, rows: source.rows() },
  ]);
});
