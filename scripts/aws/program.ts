import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { refuseUsage } from "../../src/cli/program.ts";

export { runProgram } from "../../src/cli/program.ts";

/** The command line of a script, with what all of them share; `about` is what it does, in one sentence. */
export function awsProgram(name: string, usage: string, about: string) {
  return yargs(hideBin(process.argv))
    .scriptName(`scripts/${name}.sh`)
    .usage(`Usage: $0 ${usage}\n\n${about}.`)
    .locale("en")
    .parserConfiguration({ "duplicate-arguments-array": false, "camel-case-expansion": false })
    .options({
      "dry-run": {
        type: "boolean",
        default: false,
        description: "Say what would be changed, and change nothing",
      },
      "endpoint-url": {
        type: "string",
        description: "Another server than AWS's own; https, unless it is on this machine",
      },
    })
    .strictCommands()
    .strict()
    .version(false)
    .help()
    .wrap(Math.min(110, process.stdout.columns ?? 80))
    .exitProcess(false)
    .fail(refuseUsage(`See scripts/${name}.sh --help.`));
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
