import { hideBin } from "yargs/helpers";
import yargs from "yargs/yargs";
import { suggest } from "./suggest.ts";

interface Flag {
  readonly placeholder: "FILE" | "N" | "SECONDS" | "TIME" | "P" | null;
  readonly describe: string;
  readonly alias?: string;
}

const FLAGS = {
  config: {
    placeholder: "FILE",
    describe: "YAML configuration [default: sensor-config.yaml here or in sample-sensor/, if there]",
  },
  db: { placeholder: "FILE", describe: "SQLite database; made if missing, never emptied" },
  sensors: { placeholder: "N", describe: "number of sensors" },
  rate: { placeholder: "N", describe: "readings per second of all sensors together" },
  duration: { placeholder: "SECONDS", describe: "run for so long, then stop", alias: "run-time" },
  backfill: { placeholder: "N", describe: "write N readings of the past at once, then exit" },
  until: { placeholder: "TIME", describe: "with --backfill: where the past ends (ISO 8601) [default: now]" },
  continue: { placeholder: null, describe: "with --backfill: go on with live readings" },
  seed: { placeholder: "N", describe: "repeat the readings of an earlier run with this seed" },
  "anomaly-probability": { placeholder: "P", describe: "share of anomalous readings, 0 to 1" },
  debug: { placeholder: null, describe: "log more" },
} as const satisfies Record<string, Flag>;

export type FlagName = keyof typeof FLAGS;

export interface Arguments {
  /** As text, as it was typed; only flags that were given. */
  readonly values: Readonly<Partial<Record<FlagName, string>>>;
  readonly continue: boolean;
  readonly debug: boolean;
  /** What cannot be understood, one sentence each. */
  readonly problems: readonly string[];
}

/** Takes the command line apart; `--help` is answered here and ends the process. */
export function parseArguments(argv: readonly string[]): Arguments {
  const parser = yargs(hideBin([...argv]))
    .scriptName("sensor")
    .usage("$0 [options]\n\nWrites the readings of simulated sensors to a SQLite database.")
    .epilogue("Flags win over SENSOR_DB_PATH and LOG_LEVEL, these over the YAML file, it over the defaults.")
    .parserConfiguration({
      "camel-case-expansion": false,
      "strip-aliased": true,
      "duplicate-arguments-array": false,
      "boolean-negation": false,
      "dot-notation": false,
    })
    .version(false)
    .help()
    .wrap(100);
  for (const [name, flag] of Object.entries<Flag>(FLAGS))
    parser.option(name, {
      describe: flag.placeholder ? `${flag.placeholder}: ${flag.describe}` : flag.describe,
      ...(flag.alias ? { alias: flag.alias } : {}),
      type: flag.placeholder ? "string" : "boolean",
    });

  const { _: strays, $0: _program, help: _help, ...given } = parser.parseSync();
  const known = Object.entries<Flag>(FLAGS).flatMap(([name, { alias }]) => (alias ? [name, alias] : [name]));
  const flags = known.map((name) => `--${name}`);
  const unknown = Object.keys(given).filter((name) => !known.includes(name));
  return {
    values: Object.fromEntries(
      Object.entries(given).filter(([name, value]) => name in FLAGS && typeof value === "string"),
    ),
    continue: given.continue === true,
    debug: given.debug === true,
    problems: [
      ...unknown.map((name) => `--${name}: unknown flag${suggest(`--${name}`, flags)}`),
      ...strays.map((word) => `${word}: unexpected argument`),
    ],
  };
}
