import { createInterface } from "node:readline/promises";
import { UploaderError } from "../core/errors.ts";

/**
 * Asks on the terminal; anything but yes is no.
 *
 * @param command what is to be run with `--yes` where nobody can answer
 * @throws {UploaderError} USAGE where there is no terminal
 */
export async function confirmOnTerminal(question: string, command: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stdout.isTTY)
    throw new UploaderError({
      code: "USAGE",
      message: "There is no terminal to ask on, so nothing was changed.",
      hint: `Run \`${command} --yes\` to go on with what is said above.`,
    });
  const terminal = createInterface({ input: process.stdin, output: process.stdout });
  try {
    const closed = new Promise<string>((resolve) => terminal.once("close", () => resolve("")));
    const answer = await Promise.race([terminal.question(`${question} [y/N] `), closed]);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
