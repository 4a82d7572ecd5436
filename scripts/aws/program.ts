import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { describeError, UploaderError } from "../../src/core/errors.ts";

/** The command line of a script, with what all of them share. */
export function awsProgram(name: string, usage: string) {
  return yargs(hideBin(process.argv))
    .scriptName(`scripts/${name}.sh`)
    .usage(`Usage: $0 ${usage}`)
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
    .fail((message, error) => {
      if (error instanceof Error && error.name !== "YError") throw error;
      throw new UploaderError({
        code: "USAGE",
        message: `${message ?? error.message}.`,
        hint: `See scripts/${name}.sh --help.`,
      });
    });
}

/** Runs it; an error goes to standard error as message and hint, and the exit code is 1, or 2 for wrong usage. */
export async function runProgram(name: string, program: { parseAsync(): Promise<unknown> }): Promise<void> {
  process.stdout.on("error", () => process.exit());
  try {
    await program.parseAsync();
  } catch (error) {
    process.stderr.write(`${name}: ${describeError(error)}\n`);
    process.exitCode = error instanceof UploaderError ? error.exitCode : 1;
  }
}

export function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
