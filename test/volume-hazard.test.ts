import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { warnOfLostState } from "../src/volume-hazard.ts";
import { openReadings } from "./support/readings.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";
import { runProgram } from "./support/uploader-process.ts";

/** The state folder `state` of a container whose root is an overlay, with one more mount. */
function warningsWith(
  mount: { point: string; type: string } | null,
  env: Record<string, string> = CONTAINER,
) {
  const stateDir = join(temporaryFolder(), "state");
  mkdirSync(stateDir);
  return warningsOf(stateDir, env, mount && { ...mount, point: join(stateDir, "..", mount.point) });
}

const CONTAINER = { UPLOADER_IN_CONTAINER: "true" };

function warningsOf(
  stateDir: string,
  env: Record<string, string>,
  mount: { point: string; type: string } | null,
) {
  const warnings: string[] = [];
  const log = { warn: (message: string) => warnings.push(message) };
  const lines = ["812 701 0:61 / / ro,relatime master:1 - overlay overlay rw"];
  if (mount)
    lines.push(`830 812 8:1 /volumes/x ${mount.point} rw,relatime master:1 - ${mount.type} /dev/sda1 rw`);
  warnOfLostState(stateDir, log as never, { env, readMounts: () => lines.join("\n") });
  return warnings;
}

test("a state folder in the file system of the container is warned of, with its path and the way out", () => {
  const [warning] = warningsWith(null);
  expect(warning).toMatch(/the state folder \/\S+\/state is on no volume and is lost with this container/);
  expect(warning).toMatch(/mount one, as with -v uploader-state:\/\S+\/state$/);
});

test("a state folder on a volume, or in a folder of one, is not", () => {
  expect(warningsWith({ point: "state", type: "ext4" })).toEqual([]);
  expect(warningsWith({ point: ".", type: "xfs" })).toEqual([]);
});

test("a volume on another folder does not count, nor does memory", () => {
  expect(warningsWith({ point: "stat", type: "ext4" })).toHaveLength(1);
  expect(warningsWith({ point: "state", type: "tmpfs" })).toHaveLength(1);
});

test("a state folder that is not there yet counts as the folder it will be in, links followed", () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "volume"));
  symlinkSync(join(folder, "volume"), join(folder, "link"));
  const mount = { point: join(folder, "volume"), type: "ext4" };
  expect(warningsOf(join(folder, "link", "new", "state"), CONTAINER, mount)).toEqual([]);
});

test("outside a container nothing is said, nor where the mounts cannot be read", () => {
  expect(warningsWith(null, {})).toEqual([]);
  const surroundings = {
    env: CONTAINER,
    readMounts: () => {
      throw new Error("ENOENT");
    },
  };
  expect(() => warnOfLostState("/state", undefined as never, surroundings)).not.toThrow();
});

test("the uploader says it at its start", async () => {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  openReadings(database);
  // /dev/shm is memory wherever Linux runs.
  const stateDir = mkdtempSync("/dev/shm/uploader-test-");
  onTestFinished(() => rmSync(stateDir, { recursive: true }));
  const args = ["--sqlite", database, "--directory", join(folder, "lake"), "--once"];
  const env = { ...CONTAINER, STATE_DIR: stateDir };
  const { code, stdout } = await runProgram("uploader", args, { cwd: folder, env });
  expect(code).toBe(0);
  expect(stdout).toContain("is on no volume and is lost with this container");
});
