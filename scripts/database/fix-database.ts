import { existsSync, realpathSync } from "node:fs";
import { resolve } from "node:path";
import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { refuseUsage, runProgram } from "../../src/cli/program.ts";
import { loadSourceDatabase } from "../../src/config/database-path.ts";
import { checkpointDatabase } from "./checkpoint.ts";
import { examineDatabase, isSound } from "./examine.ts";
import { repairDatabase } from "./repair.ts";
import { reportCheckpoint, reportExamination, reportRepair } from "./report.ts";

const NAME = "fix_sensor_database_corruption.sh";

const program = yargs(hideBin(process.argv))
  .scriptName(NAME)
  .usage(
    "Usage: $0 [--check | --checkpoint | --repair] [DB]\n\nLooks at a SQLite database, empties its write-ahead log, or saves what can be saved of a damaged one.",
  )
  .locale("en")
  .parserConfiguration({ "duplicate-arguments-array": false, "camel-case-expansion": false })
  .options({
    check: { type: "boolean", description: "Look at it and change nothing; this is the default" },
    checkpoint: { type: "boolean", description: "Move the write-ahead log into the database and empty it" },
    repair: { type: "boolean", description: "Make a new database of what can be read; the old one is kept" },
  })
  .conflicts({ check: ["checkpoint", "repair"], checkpoint: "repair" })
  .command(
    "$0 [db]",
    false,
    (command) =>
      command.positional("db", {
        type: "string",
        description: "The database [default: the one of SQLITE_PATH or of the uploader's configuration]",
      }),
    async ({ db, checkpoint, repair }) => {
      const path = databasePath(db);
      if (repair) print(reportRepair(await repairDatabase(path, new Date())));
      else if (checkpoint) runCheckpoint(path);
      else runCheck(path);
    },
  )
  .strict()
  .example([
    ["$0 sensor_data.db", "look at it, whoever has it open"],
    ["$0 --repair sensor_data.db", "with sensor and uploader stopped"],
  ])
  .version(false)
  .help()
  .wrap(Math.min(110, process.stdout.columns ?? 80))
  .exitProcess(false)
  .fail(refuseUsage(`See ${NAME} --help.`));

await runProgram(NAME, program);

/** The file itself where the name is a symbolic link: SQLite puts log and index beside that. */
function databasePath(given: string | undefined): string {
  const path = given
    ? resolve(given)
    : loadSourceDatabase({ configPath: undefined, env: process.env, cwd: process.cwd() });
  return existsSync(path) ? realpathSync(path) : path;
}

function runCheck(path: string): void {
  const examination = examineDatabase(path);
  print(reportExamination(examination));
  if (!isSound(examination)) process.exitCode = 1;
}

function runCheckpoint(path: string): void {
  const checkpoint = checkpointDatabase(path);
  print(reportCheckpoint(checkpoint));
  if (checkpoint.busy) process.exitCode = 1;
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
