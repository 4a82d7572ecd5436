import yargs from "yargs";
import { hideBin } from "yargs/helpers";
import { UploaderError } from "../../src/core/errors.ts";

export interface CheckOptions {
  /** Whether objects go to the configured buckets; else to a folder. */
  readonly s3: boolean;
  /** The user's configuration, of which `s3_configuration` counts; undefined: as the uploader finds it. */
  readonly config: string | undefined;
  readonly keep: boolean;
}

/** @throws {UploaderError} USAGE; null where --help was asked for, and answered */
export async function checkOptions(argv: readonly string[]): Promise<CheckOptions | null> {
  const parsed = await yargs(hideBin([...argv]))
    .scriptName("test-sensor-pipeline.sh")
    .usage(
      "Usage: ./$0 [--s3] [--config FILE] [--keep]\n\nTries this installation from end to end: a sensor, an uploader and each pipeline type in a temporary folder of their own; then every row of SQLite is compared with what was shipped. Ends with PASS and 0, or FAIL and 1.",
    )
    .locale("en")
    .options({
      s3: {
        type: "boolean",
        default: false,
        description:
          "Ship to the configured buckets, under a node id of its own. The objects stay there, and the lake takes them in",
      },
      config: { type: "string", requiresArg: true, description: "The configuration that names the buckets" },
      keep: { type: "boolean", default: false, description: "Keep the temporary folder" },
    })
    .strict()
    .version(false)
    .help()
    .exitProcess(false)
    .fail((message, error) => {
      throw new UploaderError({
        code: "USAGE",
        message: `${message ?? error.message}.`,
        hint: "See ./test-sensor-pipeline.sh --help.",
      });
    })
    .parseAsync();
  if (parsed.help) return null;
  return { s3: parsed.s3, config: parsed.config, keep: parsed.keep };
}
