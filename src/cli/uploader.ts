#!/usr/bin/env node
import { hostname } from "node:os";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { uploaderOptions } from "../config/flags.ts";
import { loadSettings } from "../config/load-settings.ts";
import type { Settings } from "../config/settings.ts";
import { systemClock, systemSleep } from "../core/clock.ts";
import { describeError, UploaderError } from "../core/errors.ts";
import { planRun } from "../dry-run.ts";
import { createLogger } from "../observe/logger.ts";
import { createProgressBar, noProgress } from "../observe/progress.ts";
import { rebuildState } from "../rebuild.ts";
import { runUploader } from "../uploader.ts";
import { uploaderVersion } from "../version.ts";
import { confirmOnTerminal } from "./confirm.ts";
import { createListingProgress } from "./listing-progress.ts";
import { reportPlan } from "./plan-report.ts";
import { reportFindings, reportRebuilt } from "./rebuild-report.ts";
import { stopOnSignals } from "./signals.ts";
import { reportState, stateDocument } from "./state-report.ts";

const program = yargs(hideBin(process.argv))
  .scriptName("uploader")
  .usage(
    "Usage: $0 [options]\n       $0 state show | rebuild\n\nShips every new row of a SQLite table to S3 as Parquet, exactly once; pipeline-manager decides to which bucket.\nFlags go before the environment, the environment before the YAML file.",
  )
  .locale("en")
  .parserConfiguration({ "duplicate-arguments-array": false, "camel-case-expansion": false })
  .options(uploaderOptions())
  .command(
    "$0",
    "Ship new rows, until stopped or --once",
    (command) =>
      command.option("accept-new-destination", {
        type: "boolean",
        default: false,
        description: "Go on although bucket or endpoint are not those that the state remembers",
      }),
    (argv) => ship(readSettings(argv), argv["accept-new-destination"]),
  )
  .command("state", "See or restore the state", (command) =>
    command
      .demandCommand(1, 1, "A command is missing: show or rebuild")
      .command(
        "show",
        "Print cursors, sequences and what the outbox holds; an uploader may be running",
        (show) =>
          show.option("json", { type: "boolean", default: false, description: "Print one JSON document" }),
        (argv) => {
          const document = stateDocument(readSettings(argv).stateDir);
          print(argv.json ? JSON.stringify(document, null, 2) : reportState(document));
        },
      )
      .command(
        "rebuild",
        "Restore a lost, damaged, copied or restored state from the keys in the buckets, and take the tables over",
        (rebuild) =>
          rebuild.option("yes", { type: "boolean", default: false, description: "Go on without asking" }),
        (argv) => rebuild(readSettings(argv), argv.yes),
      ),
  )
  .strictCommands()
  .strict()
  .example([
    ["$0 --once", "ship what there is and exit"],
    ["$0 --dry-run", "say what would be shipped"],
    ["$0 --sqlite sensor_data.db --directory lake", "ship to a folder instead of S3"],
  ])
  .version(uploaderVersion())
  .help()
  .wrap(Math.min(110, process.stdout.columns ?? 80))
  .exitProcess(false)
  .fail((message, error) => {
    if (error instanceof Error && error.name !== "YError") throw error;
    throw new UploaderError({
      code: "USAGE",
      message: `${message ?? error.message}.`,
      hint: "See uploader --help.",
    });
  });

process.stdout.on("error", () => process.exit());

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`uploader: ${describeError(error)}\n`);
  process.exitCode = error instanceof UploaderError ? error.exitCode : 1;
}

function readSettings(argv: Readonly<Record<string, unknown>>): Settings {
  return loadSettings({ argv, env: process.env, cwd: process.cwd(), hostname: hostname() });
}

async function ship(settings: Settings, acceptNewDestination: boolean): Promise<void> {
  const isTerminal = process.stdout.isTTY === true;
  const log = createLogger(settings.logLevel, { isTerminal });
  if (settings.dryRun) return print(reportPlan(await planRun(settings, systemClock, log)));
  const signals = stopOnSignals(log);
  try {
    process.exitCode = await runUploader({
      settings,
      acceptNewDestination,
      clock: systemClock,
      sleep: systemSleep,
      random: Math.random,
      log,
      progress: isTerminal ? createProgressBar(process.stdout, () => Date.now()) : noProgress,
      signal: signals.signal,
    });
  } finally {
    signals.release();
  }
}

async function rebuild(settings: Settings, yes: boolean): Promise<void> {
  const progress = createListingProgress(process.stderr);
  try {
    const rebuilt = await rebuildState({
      settings,
      clock: systemClock,
      onListed: progress.listed,
      confirm: async (findings) => {
        progress.end();
        print(reportFindings(findings));
        return yes || (await confirmOnTerminal("Rebuild the state?", "uploader state rebuild"));
      },
    });
    progress.end();
    print(rebuilt ? reportRebuilt(rebuilt) : "Nothing was changed.");
    if (!rebuilt) process.exitCode = 1;
  } finally {
    progress.end();
  }
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
