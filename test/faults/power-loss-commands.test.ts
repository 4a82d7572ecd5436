import { cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { systemClock } from "../../src/core/clock.ts";
import { rebuildState } from "../../src/rebuild.ts";
import { setAsideObjects } from "../../src/set-aside.ts";
import { appendReadings, openForTest } from "../support/readings.ts";
import { noLog } from "../support/run-in-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { openSite, type Site, tallyScenario } from "./campaign.ts";
import { type CommandOutcome, outcomesOf, type RecordedCommand, recordDisk } from "./recorded-commands.ts";

const tally = tallyScenario("1 power loss in a command");
const confirm = () => Promise.resolve(true);

/** Three objects are delivered, and two wait in the outbox of a state that was killed. */
async function openKilledSite(folder: string): Promise<Site> {
  const site = await openSite({ folder });
  appendReadings(site.db, 30);
  expect(await site.run(["--once", "--max-batch-size", "10"])).toMatchObject({ code: 0 });
  appendReadings(site.db, 100);
  site.setType("emergency");
  const stop = { UPLOADER_FAILPOINT: "before-put:kill" };
  expect(await site.run(["--once"], stop)).toMatchObject({ signal: "SIGKILL" });
  return site;
}

/** Names of files in the outbox, with their contents, of what the state lists as waiting. */
function waitingIn(tree: ReadonlyMap<string, Buffer>): Buffer[] {
  return [...tree].flatMap(([path, bytes]) => (path.startsWith("outbox/") ? [bytes] : []));
}

/** The machine as it is when the power is back: the state folder of an outcome, and all else as it was. */
async function startAgain(folder: string, kept: string, { tree }: CommandOutcome): Promise<Site> {
  for (const name of ["state", "lake"]) rmSync(join(folder, name), { recursive: true, force: true });
  for (const suffix of ["", "-wal", "-shm"]) rmSync(join(folder, `sensor.db${suffix}`), { force: true });
  cpSync(kept, folder, { recursive: true });
  for (const [path, bytes] of tree) {
    mkdirSync(dirname(join(folder, "state", path)), { recursive: true, mode: 0o700 });
    writeFileSync(join(folder, "state", path), bytes);
  }
  return openSite({ folder });
}

/** Keeps the lake and the source as they are now. */
function keep(folder: string, kept: string): void {
  rmSync(kept, { recursive: true, force: true });
  cpSync(join(folder, "lake"), join(kept, "lake"), { recursive: true });
  const source = openForTest(join(folder, "sensor.db"));
  writeFileSync(join(kept, "sensor.db"), source.serialize());
  source.close();
}

const without = (command: RecordedCommand, index: number): RecordedCommand => ({
  ...command,
  steps: command.steps.filter((_, at) => at !== index),
});
const syncsOf = ({ steps }: RecordedCommand) =>
  steps.flatMap(({ kind }, index) => (kind === "sync folder" ? [index] : []));

test("a rebuild leaves the old state or the new one, and every object, wherever the power is cut", async () => {
  const folder = temporaryFolder();
  const kept = temporaryFolder();
  const site = await openKilledSite(folder);
  const { disk, recorded } = recordDisk(site.stateDir, () => null);
  // The markers are written, and nothing of the state folder has changed.
  const keepThen = {
    ...disk,
    rename: (from: string, to: string) => {
      if (recorded().steps.length === 0) keep(folder, kept);
      disk.rename(from, to);
    },
  };
  const settings = site.settings();
  await rebuildState({
    settings,
    clock: systemClock,
    log: noLog,
    disk: keepThen,
    onListed: () => {},
    confirm,
  });
  const command = recorded();
  await site.check(undefined, { lossyGenerations: [1] });
  site.db.close();

  const fresh = command.begin.get("state.db.rebuilding") as Buffer;
  const objects = waitingIn(command.begin);
  expect(objects).toHaveLength(2);
  expect(
    command.begin.has("state.db-wal"),
    "there is a log that must not come to lie beside the new state",
  ).toBe(true);
  const lostIn = ({ tree }: CommandOutcome): string[] => {
    const isNew = tree.get("state.db")?.equals(fresh) ?? false;
    const has = (object: Buffer) => [...tree.values()].some((bytes) => bytes.equals(object));
    return [
      ...(isNew && tree.has("state.db-wal") ? ["the new state lies beside the log of the old one"] : []),
      ...(isNew && waitingIn(tree).length > 0 ? ["the new state takes the old outbox for garbage"] : []),
      ...(objects.every(has) ? [] : ["an object is gone"]),
    ];
  };
  const outcomes = [...outcomesOf(command)];
  expect(outcomes.flatMap(lostIn)).toEqual([]);
  expect(outcomes.length).toBeGreaterThan(10);
  // The model would find the sync that is left out.
  const [first] = syncsOf(command);
  expect([...outcomesOf(without(command, first as number))].flatMap(lostIn)).not.toEqual([]);

  for (const outcome of outcomes) {
    const after = await startAgain(folder, kept, outcome);
    const before = await after.place.versions();
    const isNew = outcome.tree.get("state.db")?.equals(fresh) ?? false;
    if (isNew) await after.ship();
    else {
      expect(await after.ship()).toMatchObject({ code: 1 });
      expect(await after.place.versions()).toEqual(before);
      expect(await after.run(["state", "rebuild", "--yes"])).toMatchObject({ code: 0 });
    }
    tally.add(await after.check(undefined, { lossyGenerations: [1] }));
    after.db.close();
  }
}, 300_000);

test("what is set aside is in the outbox or beside it, wherever the power is cut", async () => {
  const folder = temporaryFolder();
  const kept = temporaryFolder();
  const site = await openKilledSite(folder);
  keep(folder, kept);
  const state = openForTest(join(site.stateDir, "state.db"), { readonly: true });
  const { disk, recorded } = recordDisk(site.stateDir, () => state.serialize());
  const options = { settings: site.settings(), clock: systemClock, log: noLog, disk, confirm };
  await setAsideObjects({ ...options, choice: { key: null, tables: null } });
  const command = recorded();
  state.close();
  expect(await site.run(["state", "rebuild", "--yes"])).toMatchObject({ code: 0 });
  await site.check(undefined, { lossyGenerations: [1] });
  site.db.close();

  const objects = waitingIn(command.begin);
  expect(objects).toHaveLength(2);
  const lostIn = ({ tree }: CommandOutcome): string[] => {
    const listed = listedIn(tree.get("state.db") as Buffer);
    const outbox = [...tree].filter(([path]) => listed.includes(path.slice("outbox/".length)));
    const aside = [...tree].filter(([path]) => path.startsWith("set-aside/"));
    return [
      ...(outbox.length === listed.length ? [] : ["an object is listed, and its file is gone"]),
      ...(objects.every((object) => [...outbox, ...aside].some(([, bytes]) => bytes.equals(object)))
        ? []
        : ["an object is gone"]),
      ...aside.flatMap(([path, bytes]) =>
        !path.endsWith(".json") || isJson(bytes) || listed.some((file) => path.endsWith(`-${file}.json`))
          ? []
          : ["an object is forgotten, and its note is torn"],
      ),
    ];
  };
  const outcomes = [...outcomesOf(command)];
  expect(outcomes.flatMap(lostIn)).toEqual([]);
  expect(outcomes.length).toBeGreaterThan(10);
  const isTorn = ({ tree }: CommandOutcome) =>
    [...tree].some(
      ([path, bytes]) => path.endsWith(".json") && path.startsWith("set-aside/") && !isJson(bytes),
    );
  expect(outcomes.filter(isTorn)).not.toEqual([]);
  for (const sync of syncsOf(command).slice(0, 2))
    expect([...outcomesOf(without(command, sync))].flatMap(lostIn)).not.toEqual([]);

  for (const outcome of outcomes) {
    const after = await startAgain(folder, kept, outcome);
    expect(await after.ship()).toMatchObject({ code: 0 });
    expect(await after.run(["state", "rebuild", "--yes"])).toMatchObject({ code: 0 });
    tally.add(await after.check(undefined, { lossyGenerations: [1] }));
    after.db.close();
  }
}, 300_000);

function isJson(bytes: Buffer): boolean {
  try {
    return typeof JSON.parse(bytes.toString()) === "object";
  } catch {
    return false;
  }
}

function listedIn(image: Buffer): string[] {
  const rollback = Buffer.from(image);
  rollback.fill(1, 18, 20); // as it is without a log beside it, which one in memory cannot have
  const db = new Database(rollback);
  try {
    return db.prepare("SELECT file FROM objects WHERE delivered_at IS NULL").pluck().all() as string[];
  } finally {
    db.close();
  }
}
