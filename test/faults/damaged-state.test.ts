import {
  appendFileSync,
  copyFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { appendReadings } from "../support/readings.ts";
import { runProgram } from "../support/uploader-process.ts";
import { NODE, openSite, type Site, tallyScenario } from "./campaign.ts";

const tally = tallyScenario("3 disk: state and outbox damaged");
const REBUILD = /uploader state rebuild/;

/** A state with a history, killed with two objects in its outbox. */
async function openKilledSite(): Promise<Site> {
  const site = await openSite();
  appendReadings(site.db, 300);
  expect(await site.ship({ "max-batch-size": 100 })).toMatchObject({ code: 0 });
  copyFileSync(state(site.stateDir), olderCopy(site.stateDir));
  appendReadings(site.db, 100);
  site.setType("emergency");
  const killed = await site.run(["--once"], { UPLOADER_FAILPOINT: "before-put:kill:2" });
  expect(killed).toMatchObject({ signal: "SIGKILL" });
  expect(readdirSync(join(site.stateDir, "outbox"))).not.toEqual([]);
  return site;
}

function execute(stateDir: string, sql: string): void {
  const db = new Database(join(stateDir, "state.db"));
  db.exec(sql);
  db.close();
}

/** Folds the WAL into the database, so that its file is all there is. */
const fold = (stateDir: string) => execute(stateDir, "PRAGMA wal_checkpoint(TRUNCATE)");
const state = (stateDir: string) => join(stateDir, "state.db");
/** What state.db was before the objects that wait were extracted. */
const olderCopy = (stateDir: string) => join(stateDir, "../older.db");
const removeAll = (stateDir: string) => {
  for (const suffix of ["", "-wal", "-shm"]) rmSync(state(stateDir) + suffix, { force: true });
};

const DELETE_WAITING = "DELETE FROM objects WHERE delivered_at IS NULL";

const DAMAGES: readonly (readonly [string, RegExp, (stateDir: string) => void])[] = [
  ["cut in the middle of a page", REBUILD, (dir) => truncateSync(state(dir), 5_000)],
  ["cut at the end of a page", REBUILD, (dir) => truncateSync(state(dir), 8_192)],
  ["of a later version", /Install that version again/, (dir) => execute(dir, "PRAGMA user_version = 999")],
  ["with a cursor that was edited", REBUILD, (dir) => execute(dir, "UPDATE sources SET cursor = 42")],
  [
    "with a cursor that was set back to an earlier position",
    REBUILD,
    (dir) => execute(dir, "UPDATE sources SET cursor = (SELECT min(rowid_value) FROM positions)"),
  ],
  ["with a sequence that was edited", REBUILD, (dir) => execute(dir, "UPDATE sources SET next_sequence = 2")],
  ["whose waiting objects were deleted", REBUILD, (dir) => execute(dir, DELETE_WAITING)],
  [
    "whose last object was deleted",
    REBUILD,
    (dir) => execute(dir, "DELETE FROM objects WHERE id = (SELECT max(id) FROM objects)"),
  ],
  [
    "whose waiting objects were struck",
    REBUILD,
    (dir) => execute(dir, "UPDATE objects SET delivered_at = extracted_at WHERE delivered_at IS NULL"),
  ],
  [
    "that begins with the first row again",
    REBUILD,
    (dir) => execute(dir, "DELETE FROM positions; UPDATE sources SET cursor = NULL"),
  ],
  [
    "that begins with the first object again",
    REBUILD,
    (dir) =>
      execute(
        dir,
        "DELETE FROM positions; DELETE FROM objects; UPDATE sources SET cursor = NULL, next_sequence = 1",
      ),
  ],
  ["with another generation", REBUILD, (dir) => execute(dir, "UPDATE sources SET generation = 9")],
  [
    "with a sequence that skips some",
    REBUILD,
    (dir) => execute(dir, "UPDATE sources SET next_sequence = next_sequence + 5"),
  ],
  [
    "with a source that was deleted",
    REBUILD,
    (dir) => execute(dir, "DELETE FROM objects; DELETE FROM sources"),
  ],
  ["that lost its seal", REBUILD, (dir) => execute(dir, "DELETE FROM seal")],
  ["that lost its id", REBUILD, (dir) => execute(dir, "DELETE FROM identity")],
  ["without a table", REBUILD, (dir) => execute(dir, "DROP TABLE positions")],
  ["overwritten", REBUILD, (dir) => writeFileSync(state(dir), Buffer.alloc(20_000, 0xa5))],
  ["emptied", REBUILD, (dir) => truncateSync(state(dir), 0)],
  ["deleted", REBUILD, removeAll],
  ["that is an older copy", REBUILD, (dir) => copyFileSync(olderCopy(dir), state(dir))],
];

/** Of a state.db whose last commits are in the log that the kill has left beside it. */
const DAMAGES_BESIDE_A_LOG: typeof DAMAGES = [
  ["deleted, its log left", REBUILD, (dir) => rmSync(state(dir))],
  ["emptied, its log left", REBUILD, (dir) => truncateSync(state(dir), 0)],
  ["whose log was deleted", REBUILD, (dir) => rmSync(`${state(dir)}-wal`)],
  ["whose log was emptied", REBUILD, (dir) => truncateSync(`${state(dir)}-wal`, 0)],
];

test.each([
  ...DAMAGES.map((each) => [...each, true] as const),
  ...DAMAGES_BESIDE_A_LOG.map((each) => [...each, false] as const),
])(
  "a state.db %s is refused with the way out, and nothing is touched",
  async (_, wayOut, damage, isFolded) => {
    const site = await openKilledSite();
    if (isFolded) fold(site.stateDir);
    const kept = join(site.folder, "kept");
    cpSync(site.stateDir, kept, { recursive: true });
    damage(site.stateDir);
    const before = [await site.place.versions(), filesOf(site.stateDir)];
    const { code, stdout, stderr } = await site.start(["--once"]).finished;
    expect({ code, stderr }, stdout).toEqual({ code: 1, stderr: expect.stringMatching(wayOut) });
    expect(stderr).not.toMatch(/^\s+at /m);
    expect([await site.place.versions(), filesOf(site.stateDir)]).toEqual(before);

    // What was there before the damage would still do.
    rmSync(site.stateDir, { recursive: true });
    cpSync(kept, site.stateDir, { recursive: true });
    tally.add(await site.check());
  },
);

/** The objects of the outbox: those that a new state would take for garbage. */
function filesOf(stateDir: string): string[] {
  const outbox = join(stateDir, "outbox");
  return readdirSync(outbox).map((name) => `${name} ${readFileSync(join(outbox, name)).toString("base64")}`);
}

const LOSSES: readonly (readonly [string, (site: Site) => void])[] = [
  ["a state.db that was deleted", ({ stateDir }) => removeAll(stateDir)],
  ["an older copy of state.db", ({ stateDir }) => copyFileSync(olderCopy(stateDir), state(stateDir))],
  ["a state.db that was cut", ({ stateDir }) => truncateSync(state(stateDir), 8_192)],
  ["a state.db whose waiting objects were deleted", ({ stateDir }) => execute(stateDir, DELETE_WAITING)],
  ["a file of the outbox that is missing", ({ stateDir }) => rmSync(waitingFile(stateDir))],
  ["a file of the outbox that was changed", ({ stateDir }) => appendFileSync(waitingFile(stateDir), "!")],
];

test.each(LOSSES)("%s is mended by `uploader state rebuild`: no row lost, none twice", async (_, damage) => {
  const site = await openKilledSite();
  fold(site.stateDir);
  damage(site);
  const { code, stdout, stderr } = await site.start(["--once"]).finished;
  expect({ code, said: stdout + stderr }).toEqual({ code: 1, said: expect.stringMatching(REBUILD) });
  const flags = ["--sqlite", site.database, "--table", "readings", "--node-id", NODE];
  const rebuilt = await runProgram("uploader", ["state", "rebuild", "--yes", ...flags], {
    cwd: site.folder,
    env: { STATE_DIR: site.stateDir, OUTPUT_DIRECTORY: "lake", S3_ENABLED: "false" },
  });
  expect(rebuilt).toMatchObject({ code: 0, stderr: "" });
  appendReadings(site.db, 50);
  // One part of generation 1 was delivered, and the other one's rows are sent again.
  const findings = await site.check(undefined, { lossyGenerations: [1] });
  expect(findings.rows).toBe(450);
  tally.add(findings);
});

test("files that a crash left are kept until the markers can be asked, and are in nobody's way", async () => {
  const site = await openSite();
  const outbox = join(site.stateDir, "outbox");
  appendReadings(site.db, 30);
  const kill = { UPLOADER_FAILPOINT: "before-commit:kill" };
  expect(await site.run(["--once"], kill)).toMatchObject({ signal: "SIGKILL" });
  const left = readdirSync(outbox);
  expect(left).toHaveLength(1);
  for (const name of ["state.db", "state.db-wal"]) expect(readdirSync(site.stateDir)).toContain(name);
  // A file in its place.
  rmSync(join(site.folder, "lake"), { recursive: true });
  writeFileSync(join(site.folder, "lake"), "");
  const { code, stdout } = await site.start(["--once"]).finished;
  expect(code).toBe(1);
  expect(stdout).not.toContain("not extracted");
  expect(readdirSync(outbox)).toHaveLength(2);
  expect(readdirSync(outbox)).toEqual(expect.arrayContaining(left));
  rmSync(join(site.folder, "lake"));
  tally.add(await site.check());
});

function waitingFile(stateDir: string): string {
  const outbox = join(stateDir, "outbox");
  return join(outbox, readdirSync(outbox)[0] as string);
}
