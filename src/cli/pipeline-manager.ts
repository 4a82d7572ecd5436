import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { systemClock } from "../core/clock.ts";
import { UploaderError } from "../core/errors.ts";
import { PIPELINE_TYPES } from "../core/types.ts";
import { findPackage } from "../package-root.ts";
import { withControlDatabase } from "./control-database.ts";
import { parseDuration } from "./duration.ts";
import { changeDocument, currentDocument, historyDocument, statsDocument } from "./pipeline-documents.ts";
import { reportChange, reportCurrent, reportHistory, reportStats } from "./pipeline-report.ts";
import { parsePipelineType } from "./pipeline-type.ts";
import { runProgram } from "./program.ts";

const now = systemClock.now();

const program = yargs(hideBin(process.argv))
  .scriptName("pipeline-manager")
  .usage(
    "Usage: $0 COMMAND [options]\n\nSees and sets the pipeline type, which decides where new rows go and what is done to them first. Works with and without a running uploader.",
  )
  .locale("en")
  .parserConfiguration({ "duplicate-arguments-array": false, "camel-case-expansion": false })
  .options({
    db: { type: "string", requiresArg: true, description: "The database that holds the control tables" },
    config: {
      type: "string",
      requiresArg: true,
      description: "The uploader's configuration, which names that database (pipeline_db, else sqlite)",
    },
    json: { type: "boolean", default: false, description: "Print one JSON document" },
  })
  .conflicts("db", "config")
  .command(
    "get",
    "Show the pipeline type in effect",
    (command) => command,
    async ({ db, config, json }) => {
      const current = await withControlDatabase({ db, config }, "read", (control) =>
        currentDocument(control, now),
      );
      print(json ? current : reportCurrent(current, now));
    },
  )
  .command(
    "set <type>",
    `Set the pipeline type: ${PIPELINE_TYPES.join(", ")}`,
    (command) =>
      command
        .positional("type", { type: "string", demandOption: true, description: PIPELINE_TYPES.join(", ") })
        .options({
          by: {
            type: "string",
            requiresArg: true,
            description: "Who asks for it [default: the current user]",
          },
          reason: { type: "string", requiresArg: true, description: "Why, for the history" },
          for: {
            type: "string",
            requiresArg: true,
            description: "For how long: 90s, 30m, 2h, 7d [default: until it is set again]",
          },
        }),
    async ({ db, config, json, type, by, reason, for: duration }) => {
      const wanted = {
        type: parsePipelineType(type),
        by: given(by, "--by"),
        reason: given(reason, "--reason"),
        forSeconds: duration === undefined ? undefined : parseDuration(duration, "--for"),
        now,
      };
      const change = await withControlDatabase({ db, config }, "write", (control) =>
        changeDocument(control, wanted),
      );
      print(json ? change : reportChange(change, now));
    },
  )
  .command(
    "history",
    "List the types that were set, newest first",
    (command) =>
      command.option("limit", {
        type: "string",
        requiresArg: true,
        default: "20",
        description: "How many to list",
      }),
    async ({ db, config, json, limit }) => {
      const count = parseLimit(limit);
      const history = await withControlDatabase({ db, config }, "read", (control) =>
        historyDocument(control, count, now),
      );
      print(json ? history : reportHistory(history, now));
    },
  )
  .command(
    "stats",
    "Sum up what was delivered, waits and failed",
    (command) =>
      command.option("since", {
        type: "string",
        requiresArg: true,
        description: "How far back: 90s, 30m, 2h, 7d [default: all, 30 days]",
      }),
    async ({ db, config, json, since }) => {
      const sinceSeconds = since === undefined ? undefined : parseDuration(since, "--since");
      const stats = await withControlDatabase({ db, config }, "read", (control) =>
        statsDocument(control, sinceSeconds, now),
      );
      print(json ? stats : reportStats(stats, now));
    },
  )
  .demandCommand(1, 1, "A command is missing: get, set, history or stats")
  .strictCommands()
  .strict()
  .example([
    ["$0 --db sensor_data.db get", ""],
    ["$0 set emergency --for 30m --reason 'Pump 3 leaks'", ""],
    ["$0 stats --since 2h --json", ""],
  ])
  .version(findPackage().version)
  .help()
  .wrap(Math.min(110, process.stdout.columns ?? 80))
  .exitProcess(false)
  .fail((message, error) => {
    if (error instanceof Error && error.name !== "YError") throw error;
    throw usageError(explainUsage(message ?? error.message));
  });

void runProgram("pipeline-manager", program);

function print(result: string | object): void {
  process.stdout.write(`${typeof result === "string" ? result : JSON.stringify(result, null, 2)}\n`);
}

function given(text: string | undefined, option: string): string | undefined {
  if (text?.trim() === "") throw usageError(`${option} is empty.`);
  return text;
}

function parseLimit(text: string): number {
  const limit = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (limit > 0) return limit;
  throw usageError(`--limit ${JSON.stringify(text)} is not a whole number from 1 up.`);
}

/** What yargs says of the mistakes that are made most, in our words. */
function explainUsage(message: string): string {
  if (message.startsWith("Not enough non-option arguments"))
    return `set needs a type: ${PIPELINE_TYPES.join(", ")}.`;
  const [, option] = /^Not enough arguments following: (\S+)$/.exec(message) ?? [];
  return option === undefined ? `${message}.` : `--${option} needs a value.`;
}

function usageError(message: string): UploaderError {
  return new UploaderError({
    code: "USAGE",
    message,
    hint: "See pipeline-manager --help.",
  });
}
