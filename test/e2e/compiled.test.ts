import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { copyOfBuild } from "../support/copy-of-build.ts";
import { appendReadings, openReadings } from "../support/readings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** More than one read, so that both threads start. */
const ROWS = 9_000;

/** Preloaded: says of each bundle whether V8 took what was compiled of it before. */
const HOOK = `
const vm = require("node:vm");
const { basename } = require("node:path");
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options);
    const said = options.cachedData === undefined ? "missing" : this.cachedDataRejected ? "refused" : "taken";
    require("node:fs").writeSync(2, basename(options.filename).replace(/-[^-]*$/, "") + " " + said + "\\n");
  }
};
`;

function setUp() {
  const folder = copyOfBuild();
  writeFileSync(join(folder, "hook.cjs"), HOOK);
  const bundles = join(folder, "dist/bundles");
  const compiled = readdirSync(bundles).filter((name) => name.endsWith(".compiled"));
  return {
    compiled: compiled.map((name) => join(bundles, name)),
    /** What becomes of the compiled code of each bundle in a run that ships ROWS. */
    ship(options: readonly string[] = []): string[] {
      const place = temporaryFolder();
      appendReadings(openReadings(join(place, "sensor.db")), ROWS);
      const program = [
        ...options,
        "--require",
        join(folder, "hook.cjs"),
        join(folder, "dist/src/cli/uploader.js"),
      ];
      const flags = ["--once", "--sqlite", "sensor.db", "--directory", "lake", "--node-id", "press-7"];
      const { PATH = "" } = process.env;
      const run = spawnSync(process.execPath, [...program, ...flags], {
        cwd: place,
        env: { PATH, STATE_DIR: "state" },
        encoding: "utf8",
      });
      expect(run).toMatchObject({ status: 0 });
      expect(run.stdout).toContain(`"rows":${ROWS}`);
      return run.stderr.trim().split("\n").sort();
    },
  };
}

const said = (what: string) => [`encoder-thread ${what}`, `reader-thread ${what}`, `uploader ${what}`];

test("a start takes the code that was compiled when the package was built", () => {
  expect(setUp().ship()).toEqual(said("taken"));
});

test.each<[string, (path: string) => void]>([
  ["cut short", (path) => truncateSync(path, readFileSync(path).length / 2)],
  ["changed by a bit", (path) => writeFileSync(path, withFlippedBit(readFileSync(path)))],
  ["empty", (path) => truncateSync(path)],
  ["something else", (path) => writeFileSync(path, "of another program")],
])("compiled code that is %s is not taken, and nothing else changes", (_, damage) => {
  const { compiled, ship } = setUp();
  for (const path of compiled) damage(path);
  expect(ship()).toEqual(said("missing"));
});

test("with other V8 options compiled code is not taken, and nothing else changes", () => {
  expect(setUp().ship(["--stack-size=900"])).toEqual(said("refused"));
});

function withFlippedBit(bytes: Buffer): Buffer {
  const middle = Math.floor(bytes.length / 2);
  bytes.writeUInt8(bytes.readUInt8(middle) ^ 1, middle);
  return bytes;
}
