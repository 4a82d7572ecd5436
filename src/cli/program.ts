import { describeError, UploaderError } from "../core/errors.ts";

/**
 * What yargs is to do with a command line that it does not understand: it becomes an error of ours, which says where
 * the right ones are listed. What a command throws goes on as it is.
 */
export function refuseUsage(hint: string): (message: string | null, error: Error | undefined) => never {
  return (message, error) => {
    if (error && error.name !== "YError") throw error;
    throw new UploaderError({ code: "USAGE", message: `${message ?? error?.message}.`, hint });
  };
}

/** As Node.js has it where a module waits in vain: https://nodejs.org/api/process.html#exit-codes */
const UNSETTLED = 13;

/** Runs it; an error goes to standard error as message and hint, and the exit code is 1, or 2 for wrong usage. */
export async function runProgram(
  name: string,
  program: { parseAsync(): PromiseLike<unknown> | unknown },
): Promise<void> {
  let hasEnded = false;
  process.on("exit", (code) => {
    if (code === 0 && !hasEnded) process.exitCode = UNSETTLED;
  });
  // The reader of a pipe may leave early, as `head` does.
  process.stdout.on("error", () => {
    hasEnded = true;
    process.exit();
  });
  try {
    await program.parseAsync();
    hasEnded = true;
  } catch (error) {
    process.stderr.write(`${name}: ${describeError(error)}\n`);
    process.exitCode = error instanceof UploaderError ? error.exitCode : 1;
  }
}
