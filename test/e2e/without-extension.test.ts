import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nativeSuite } from "../native/native-suite.ts";
import { copyOfBuild } from "../support/copy-of-build.ts";
import { appendReadings, openReadings } from "../support/readings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** More than one read, so that the threads open the database too. */
const ROWS = 9_000;

/** The messages of a run that are about the extension. */
function saidOfExtension(copy: string, env: Readonly<Record<string, string>> = {}): string[] {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  appendReadings(openReadings(database), ROWS);
  const flags = ["--once", "--sqlite", database, "--directory", join(folder, "lake"), "--node-id", "press-7"];
  const { PATH = "" } = process.env;
  const run = spawnSync(process.execPath, [join(copy, "dist/src/cli/uploader.js"), ...flags], {
    cwd: folder,
    env: { PATH, STATE_DIR: "state", ...env },
    encoding: "utf8",
  });
  expect(run).toMatchObject({ status: 0, stderr: "" });
  const messages = run.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).msg as string);
  return messages.filter((message) => message.includes("extension"));
}

test("a start without the C extension says once that it is slower, and how to build it", () => {
  const copy = copyOfBuild();
  rmSync(join(copy, "dist/native"), { recursive: true, force: true });
  expect(saidOfExtension(copy)).toEqual([
    expect.stringMatching(
      /^the C extension is not used, without which all takes longer: columnar\.\w+ is not built; .*`npm run build` builds it$/,
    ),
  ]);
  expect(saidOfExtension(copy, { UPLOADER_NATIVE: "off" })).toEqual([
    "the C extension is not used, without which all takes longer: UPLOADER_NATIVE is off",
  ]);
});

nativeSuite("a start with the C extension", () => {
  test("says nothing of it", () => {
    expect(saidOfExtension(copyOfBuild())).toEqual([]);
  });
});
