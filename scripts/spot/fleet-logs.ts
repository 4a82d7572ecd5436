import { GetConsoleOutputCommand } from "@aws-sdk/client-ec2";
import { UploaderError } from "../../src/core/errors.ts";
import type { Fleet } from "./fleet.ts";
import { noFleet } from "./fleet-status.ts";
import { findInstances } from "./instances.ts";

/**
 * Prints the last lines of the console of the newest instance: the start-up, and what the services say. EC2 keeps 64 KiB,
 * and for a while those of an instance that has ended.
 *
 * @param lines the most that are printed
 * @throws {UploaderError} where there is nothing to show; what the SDK throws
 */
export async function printLogs(fleet: Fleet, lines: number, print: (line: string) => void): Promise<void> {
  const [newest] = await findInstances(fleet);
  if (!newest) throw noFleet(fleet);
  const { Output = "" } = await fleet.ec2.send(
    new GetConsoleOutputCommand({ InstanceId: newest.InstanceId, Latest: true }),
  );
  const text = withoutControls(Buffer.from(Output, "base64").toString("utf8")).trimEnd();
  if (!text)
    throw new UploaderError({
      code: "SINK_UNAVAILABLE",
      message: `The console of ${newest.InstanceId} is empty.`,
      hint: "EC2 shows it a minute or two after the start: try again.",
    });
  for (const line of text.split("\n").slice(-lines)) print(line);
}

/** Colours and cursor movements of the console would act on the terminal that shows them. */
function withoutControls(text: string): string {
  return (
    text
      .replaceAll("\r\n", "\n")
      .replaceAll("\r", "\n")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
      .replace(/\u001b\[[0-9;?]*[A-Za-z]|[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g, "")
  );
}
