import { spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { suiteWith } from "../support/suite-with.ts";
import { whySystemdIsMissing } from "../support/systemd.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { runProgram } from "../support/uploader-process.ts";

const FOLDER = join(import.meta.dirname, "../../deploy/systemd");
const UNITS = ["databricks-uploader.service", "databricks-sensor.service"];

suiteWith(whySystemdIsMissing(), "the units of deploy/systemd", () => {
  test.each(UNITS)("systemd finds nothing wrong with %s", (unit) => {
    const { path } = withStandIn(unit);
    expect(run("systemd-analyze", ["verify", path])).toEqual({ code: 0, printed: "" });
  });

  test.each([
    ["databricks-uploader.service", 20],
    ["databricks-sensor.service", 10],
  ])("%s is exposed by at most %i tenths of 10", (unit, threshold) => {
    const args = ["security", "--offline=true", `--threshold=${threshold}`, join(FOLDER, unit)];
    expect(run("systemd-analyze", args)).toMatchObject({ code: 0 });
  });

  test("the users share a group", () => {
    const root = temporaryFolder();
    makeUsers(root);
    expect(readFileSync(join(root, "etc/group"), "utf8")).toMatch(/^sensor-data:x:\d+:databricks-uploader$/m);
    expect(readFileSync(join(root, "etc/passwd"), "utf8")).toContain(`databricks-sensor:x:`);
  });
});

suiteWith(whySystemdIsMissing() ?? whyNoOwners(), "the folders of deploy/systemd", () => {
  test("the database is for the users' group alone", () => {
    const root = temporaryFolder();
    makeUsers(root);
    const [, gid] = /^sensor-data:x:(\d+):/m.exec(readFileSync(join(root, "etc/group"), "utf8")) ?? [];
    const conf = join(FOLDER, "databricks-uploader.tmpfiles.conf");
    const tmpfiles = run("systemd-tmpfiles", [`--root=${root}`, "--create", conf]);
    expect(tmpfiles.code, tmpfiles.printed).toBe(0);
    const modes = ["var/lib/sensor", "var/lib/sensor/sensor_data.db"].map((path) =>
      statSync(join(root, path)),
    );
    expect(modes.map(({ mode, gid }) => [(mode & 0o7777).toString(8), String(gid)])).toEqual([
      ["2770", gid],
      ["660", gid],
    ]);
  });
});

test.each(UNITS)(
  "%s starts a program that is built, as its users and folders are called elsewhere",
  (unit) => {
    const text = readFileSync(join(FOLDER, unit), "utf8");
    const [, program = ""] =
      /^ExecStart=\/usr\/bin\/node \/opt\/databricks-uploader\/(\S+)/m.exec(text) ?? [];
    expect(statSync(join(FOLDER, "../..", program)).isFile()).toBe(true);
    const [, user = ""] = /^User=(.+)$/m.exec(text) ?? [];
    expect(readFileSync(join(FOLDER, "databricks-uploader.sysusers.conf"), "utf8")).toMatch(
      new RegExp(`^u ${user} `, "m"),
    );
    expect(text).toContain("sensor-data");
    expect(text).not.toMatch(/^MemoryDenyWriteExecute/m);
  },
);

test("its configuration is one that the uploader takes", async () => {
  const folder = temporaryFolder();
  const text = readFileSync(join(FOLDER, "config.yaml"), "utf8");
  writeFileSync(join(folder, "config.yaml"), text);
  // The database is not there, which is found out after the configuration was read.
  const { stderr } = await runProgram("uploader", ["--config", join(folder, "config.yaml"), "--dry-run"]);
  expect(stderr).toContain("There is no database at /var/lib/sensor/sensor_data.db");
});

test("the README names every file of the folder that is installed", () => {
  const readme = readFileSync(join(FOLDER, "README.md"), "utf8");
  const named = readdirSync(FOLDER).filter((name) => !/\.service$|README/.test(name));
  for (const name of named) expect(readme).toContain(`deploy/systemd/${name}`);
});

/** The users and groups of the sysusers file, in a root of their own. */
function makeUsers(root: string): void {
  mkdirSync(join(root, "etc"));
  const conf = join(FOLDER, "databricks-uploader.sysusers.conf");
  const sysusers = run("systemd-sysusers", [`--root=${root}`, conf]);
  expect(sysusers.code, sysusers.printed).toBe(0);
}

function whyNoOwners(): string | null {
  return process.getuid?.() === 0 ? null : "only root can give a folder to another user";
}

/** A copy of the unit beside a program that is there: `verify` looks for what ExecStart= names. */
function withStandIn(unit: string): { readonly path: string } {
  const folder = temporaryFolder();
  const program = join(folder, "node");
  writeFileSync(program, "#!/bin/sh\n");
  chmodSync(program, 0o755);
  for (const name of UNITS) copyFileSync(join(FOLDER, name), join(folder, name));
  const path = join(folder, unit);
  writeFileSync(path, readFileSync(path, "utf8").replace("/usr/bin/node", program));
  return { path };
}

function run(
  program: string,
  args: readonly string[],
): { readonly code: number | null; readonly printed: string } {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: "utf8" });
  return { code: status, printed: stdout + stderr };
}
