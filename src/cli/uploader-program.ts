import { hostname } from "node:os";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { uploaderOptions } from "../config/flags.ts";
import { loadSettings } from "../config/load-settings.ts";
import type { Settings } from "../config/settings.ts";
import { systemClock, systemSleep } from "../core/clock.ts";
import { UploaderError } from "../core/errors.ts";
import { createLogger, type Logger } from "../observe/logger.ts";
import { createProgressBar, noProgress } from "../observe/progress.ts";
import { findPackage } from "../package-root.ts";
import type { UnprovenRows } from "../rebuild-source.ts";
import type { SpotWatch } from "../spot/notices.ts";
import { createExtractionThreads } from "../threads/extraction-threads.ts";
import { runUploader } from "../uploader.ts";
import { openMonitor } from "./open-monitor.ts";
import { refuseUsage, runProgram } from "./program.ts";
import { stopOnSignals } from "./signals.ts";

const program = yargs(hideBin(process.argv))
  .scriptName("uploader")
  .usage(
    "Usage: $0 [options]\n       $0 state show | rebuild\n       $0 outbox list | set-aside\n\nShips every new row of a SQLite table to S3 as Parquet, exactly once; pipeline-manager decides to which bucket.\nFlags go before the environment, the environment before the YAML file.",
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
        (argv) => showState(readSettings(argv), argv.json),
      )
      .command(
        "rebuild",
        "Restore a lost, damaged, copied or restored state from the keys in the buckets, and take the tables over",
        (rebuild) =>
          rebuild
            .option("unproven", {
              choices: ["send", "skip"] as const,
              description: "What becomes of rows of which nothing tells whether they were delivered",
            })
            .option("yes", { type: "boolean", default: false, description: "Go on without asking" }),
        (argv) =>
          rebuild(readSettings(argv), {
            yes: argv.yes,
            unproven: (argv.unproven as UnprovenRows | undefined) ?? null,
          }),
      ),
  )
  .command("outbox", "See what waits to be delivered, or take something out", (command) =>
    command
      .demandCommand(1, 1, "A command is missing: list or set-aside")
      .command(
        "list",
        "Print what waits and why; an uploader may be running",
        (list) =>
          list.option("json", { type: "boolean", default: false, description: "Print one JSON document" }),
        (argv) => listOutbox(readSettings(argv), argv.json),
      )
      .command(
        "set-aside [key]",
        "Move an object that cannot be delivered, or with --table all of a table, out of the outbox; the file is kept",
        (setAside) =>
          setAside
            .positional("key", { type: "string", description: "The object's key" })
            .option("yes", { type: "boolean", default: false, description: "Go on without asking" }),
        (argv) => takeOut(argv, (argv.key as string | undefined) ?? null, argv.yes),
      ),
  )
  .strictCommands()
  .strict()
  .example([
    ["$0 --once", "ship what there is and exit"],
    ["$0 --dry-run", "say what would be shipped"],
    ["$0 --sqlite sensor_data.db --directory lake", "ship to a folder instead of S3"],
  ])
  .version(findPackage().version)
  .help()
  .wrap(Math.min(110, process.stdout.columns ?? 80))
  .exitProcess(false)
  .fail(refuseUsage("See uploader --help."));

void runProgram("uploader", program);

function readSettings(argv: Readonly<Record<string, unknown>>): Settings {
  return loadSettings({ argv, env: process.env, cwd: process.cwd(), hostname: hostname() });
}

// What is imported in a function is not needed for shipping, whose start should be short.

async function ship(settings: Settings, acceptNewDestination: boolean): Promise<void> {
  const isTerminal = process.stdout.isTTY === true;
  const log = createLogger(settings.logLevel, { isTerminal });
  if (settings.dryRun) return plan(settings, log);
  const opened = await openMonitor(settings, process.env, log);
  const signals = stopOnSignals(log);
  const notices = await openNotices(settings, log);
  try {
    process.exitCode = await runUploader({
      settings,
      acceptNewDestination,
      clock: systemClock,
      sleep: systemSleep,
      random: Math.random,
      log,
      createThreads: createExtractionThreads,
      monitor: opened.monitor,
      progress: isTerminal ? createProgressBar(process.stdout, () => Date.now()) : noProgress,
      notices,
      signal: notices ? AbortSignal.any([signals.signal, notices.timeUp]) : signals.signal,
    });
  } finally {
    signals.release();
    await notices?.close();
    await opened.close();
  }
}

async function openNotices({ spotNotices, once }: Settings, log: Logger): Promise<SpotWatch | undefined> {
  if (!spotNotices || once) return undefined;
  const { watchSpotNotices } = await import("../spot/notices.ts");
  return watchSpotNotices({ env: process.env, clock: systemClock, sleep: systemSleep, log });
}

async function plan(settings: Settings, log: Logger): Promise<void> {
  const { planRun } = await import("../dry-run.ts");
  const { reportPlan } = await import("./plan-report.ts");
  print(reportPlan(await planRun(settings, systemClock, log)));
}

async function showState({ stateDir }: Settings, json: boolean): Promise<void> {
  const { reportState, stateDocument } = await import("./state-report.ts");
  const document = stateDocument(stateDir);
  print(json ? JSON.stringify(document, null, 2) : reportState(document));
}

async function listOutbox({ stateDir }: Settings, json: boolean): Promise<void> {
  const { outboxDocument, reportOutbox } = await import("./outbox-report.ts");
  const document = outboxDocument(stateDir);
  print(json ? JSON.stringify(document, null, 2) : reportOutbox(document));
}

async function rebuild(
  settings: Settings,
  { yes, unproven }: { readonly yes: boolean; readonly unproven: UnprovenRows | null },
): Promise<void> {
  const { confirmOnTerminal } = await import("./confirm.ts");
  const { createListingProgress } = await import("./listing-progress.ts");
  const { assertDecided, reportFindings, reportRebuilt } = await import("./rebuild-report.ts");
  const { rebuildState } = await import("../rebuild.ts");
  const progress = createListingProgress(process.stderr);
  try {
    const rebuilt = await rebuildState({
      settings,
      clock: systemClock,
      log: createLogger(settings.logLevel, { isTerminal: process.stdout.isTTY === true }),
      unproven,
      onListed: progress.listed,
      confirm: async (findings) => {
        progress.end();
        print(reportFindings(findings));
        assertDecided(findings, unproven);
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

async function takeOut(
  argv: Readonly<Record<string, unknown>>,
  key: string | null,
  yes: boolean,
): Promise<void> {
  const settings = readSettings(argv);
  const tables = argv.table === undefined || typeof settings.tables === "string" ? null : settings.tables;
  if (key === null && argv.table === undefined)
    throw new UploaderError({
      code: "USAGE",
      message: "Which object is to be set aside?",
      hint: "Name its key, or all of a table with --table; see `uploader outbox list`.",
    });
  const { confirmOnTerminal } = await import("./confirm.ts");
  const { reportChosen, reportSetAside } = await import("./outbox-report.ts");
  const { setAsideObjects } = await import("../set-aside.ts");
  const paths = await setAsideObjects({
    settings,
    choice: { key, tables },
    clock: systemClock,
    log: createLogger(settings.logLevel, { isTerminal: process.stdout.isTTY === true }),
    confirm: async (objects) => {
      print(reportChosen(objects));
      return yes || (await confirmOnTerminal("Set aside?", "uploader outbox set-aside"));
    },
  });
  print(paths ? reportSetAside(paths) : "Nothing was changed.");
  if (!paths) process.exitCode = 1;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
