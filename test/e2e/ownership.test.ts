import { createHash } from "node:crypto";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { type LakeObject, listObjects } from "../support/lake-reader.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { appendReadings, openReadings } from "../support/readings.ts";
import { startInProcess, uploadOnce } from "../support/run-in-process.ts";
import { openS3Lake } from "../support/s3-lake.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { runProgram } from "../support/uploader-process.ts";
import { expectEveryRowOnce } from "../support/whole-lake.ts";

interface Lake {
  readonly environment: Readonly<Record<string, string>>;
  objects(): LakeObject[];
  /** Everything there is, markers included, with its version. */
  versions(): Promise<Map<string, string>>;
}

describe("on a directory", () => {
  itRefusesAnotherState((folder) => Promise.resolve(directoryLake(join(folder, "lake"))));
});

suiteFor("versitygw", "ownership", (server) => {
  itRefusesAnotherState(() => openS3Lake(server()));
});

function itRefusesAnotherState(openLake: (folder: string) => Promise<Lake>): void {
  async function setUp() {
    const folder = temporaryFolder();
    const database = join(folder, "sensor.db");
    const db = openReadings(database);
    appendReadings(db, 100);
    const lake = await openLake(folder);
    const ship = (stateDir: string, nodeId: string) =>
      runProgram("uploader", ["--once", "--sqlite", database, "--state-dir", stateDir, "--node-id", nodeId], {
        cwd: folder,
        env: lake.environment,
      });
    expect(await ship("state", "press-7")).toMatchObject({ code: 0 });
    appendReadings(db, 20);
    return { folder, database, lake, ship };
  }

  const itsWayOut = {
    code: 1,
    stderr: expect.stringMatching(
      /readings of node press-7.*another state ships it[\s\S]*node_id[\s\S]*state rebuild/,
    ),
  };

  test("a second uploader with the same node id and a fresh state ships nothing and says why", async () => {
    const { lake, ship } = await setUp();
    const before = await lake.versions();
    expect(await ship("another-state", "press-7")).toMatchObject(itsWayOut);
    expect(await lake.versions()).toEqual(before);
  });

  test("an uploader whose state folder was deleted ships nothing and says why", async () => {
    const { folder, lake, ship } = await setUp();
    const before = await lake.versions();
    rmSync(join(folder, "state"), { recursive: true });
    expect(await ship("state", "press-7")).toMatchObject(itsWayOut);
    expect(await ship("state", "press-7"), "at the second try too").toMatchObject(itsWayOut);
    expect(await lake.versions()).toEqual(before);
  });

  test("a new node id begins afresh, beside what the old one shipped", async () => {
    const { database, lake, ship } = await setUp();
    const before = await lake.versions();
    expect(await ship("another-state", "press-8")).toMatchObject({ code: 0 });
    expect(await ship("state", "press-9"), "with the same state folder").toMatchObject({ code: 0 });
    for (const node of ["press-8", "press-9"])
      await expectEveryRowOnce(
        lake.objects().filter(({ name }) => name.node === node),
        { database },
      );
    expect(await lake.versions()).toEqual(new Map([...(await lake.versions()), ...before]));
  });
}

test("of two copies of a state the older one stops at its next look, and no row comes twice", async () => {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  const db = openReadings(database);
  appendReadings(db, 100);
  const lake = join(folder, "lake");
  const settings = (state: string) => ({
    cwd: folder,
    argv: { sqlite: database, directory: lake, "state-dir": state, "node-id": "press-7", interval: "60" },
  });
  // The state remembers a source of an earlier node id, which no longer has a say.
  expect(
    await uploadOnce({ ...settings("state"), argv: { ...settings("state").argv, "node-id": "press-6" } }),
  ).toBe(0);

  const clock = createManualClock(Date.now());
  const older = startInProcess({ ...settings("state"), clock, sleep: clock.sleep });
  await until("it waits for the next cycle", () => clock.waits() === 3);
  const ofNode = (node: string) => listObjects(lake).filter(({ name }) => name.node === node);
  expect(ofNode("press-7")).toHaveLength(1);

  cpSync(join(folder, "state"), join(folder, "copy"), { recursive: true });
  expect(await uploadOnce(settings("copy"))).toBe(0);
  appendReadings(db, 50);
  clock.advance(60_000);
  await until("it is refused", () => older.log.some(({ err }) => err?.code === "OWNED_BY_ANOTHER"));
  clock.advance(250);
  expect(await older.finished).toBe(1);
  const refusal = older.log.find(({ err }) => err?.code === "OWNED_BY_ANOTHER");
  expect(refusal?.err?.message).toContain("a copy of this state has taken it over");
  expect(ofNode("press-7")).toHaveLength(1);

  expect(await uploadOnce(settings("copy"))).toBe(0);
  await expect(uploadOnce(settings("state"))).rejects.toMatchObject({ code: "OWNED_BY_ANOTHER" });
  await expectEveryRowOnce(ofNode("press-7"), { database });
});

function directoryLake(directory: string): Lake {
  return {
    environment: { S3_ENABLED: "false", OUTPUT_DIRECTORY: directory },
    objects: () => listObjects(directory),
    async versions() {
      const versions = new Map<string, string>();
      if (!existsSync(directory)) return versions;
      for (const entry of readdirSync(directory, { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        if (!entry.isFile() || entry.name.startsWith(".markers.db")) continue;
        const { mtimeMs, ino } = statSync(path);
        versions.set(
          path,
          `${ino} ${mtimeMs} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`,
        );
      }
      return versions;
    },
  };
}
