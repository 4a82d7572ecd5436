import { expect, test } from "vitest";
import yargs from "yargs";
import { uploaderOptions } from "../../src/config/flags.ts";
import { localSettingsOf, settingsOf } from "./configuration.ts";

const parse = (...args: string[]) =>
  yargs(args).options(uploaderOptions()).strict().exitProcess(false).parseSync();

test("the flags are those of the configuration reference", () => {
  expect(Object.keys(uploaderOptions())).toEqual([
    "config",
    "sqlite",
    "table",
    "timestamp-col",
    "pipeline-db",
    "node-id",
    "state-dir",
    "allow-network-filesystem",
    "interval",
    "max-batch-size",
    "directory",
    "once",
    "dry-run",
    "debug",
  ]);
});

test("what yargs makes of a command line is what the settings take", () => {
  const argv = parse(
    ...[
      "--sqlite",
      "007",
      "--table",
      "1e3",
      "--table=b",
      "--timestamp-col",
      "t",
      "--pipeline-db=p.db",
      "--node-id",
      "5",
    ],
    ...[
      "--state-dir",
      "s",
      "--interval=0.5",
      "--max-batch-size",
      "10",
      "--directory",
      "d",
      "--once",
      "--dry-run",
      "--debug",
    ],
  );
  expect(settingsOf({ argv })).toMatchObject({
    sqlitePath: "/srv/folder/007",
    tables: ["1e3", "b"],
    timestampColumn: "t",
    pipelineDbPath: "/srv/folder/p.db",
    nodeId: "5",
    stateDir: "/srv/folder/s",
    intervalSeconds: 0.5,
    maxBatchRows: 10,
    sink: { kind: "directory", directory: "/srv/folder/d" },
    once: true,
    dryRun: true,
    logLevel: "debug",
  });
});

test("flags that are not given leave everything to the environment; --no-once does not", () => {
  const env = { ONCE: "1", LOG_LEVEL: "error", UPLOAD_INTERVAL: "7" };
  const settings = localSettingsOf({ argv: parse(), env });
  expect(settings).toMatchObject({ once: true, dryRun: false, logLevel: "error", intervalSeconds: 7 });
  expect(localSettingsOf({ argv: parse("--no-once"), env }).once).toBe(false);
});

test("the help says what each is for and what holds without it", async () => {
  const help = await yargs([]).options(uploaderOptions()).wrap(200).getHelp();
  expect(help).toMatch(
    /--interval +Seconds between cycles; in emergency emergency\.interval counts +\[string\] \[default: 30\]/,
  );
  expect(help).toMatch(/--debug +Log at the level debug +\[boolean\]/);
  expect(help).toContain("[default: databricks-uploader-config.yaml in the working folder, if it is there]");
  expect(help).not.toContain("`");
});
