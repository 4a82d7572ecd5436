import { writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { pino } from "pino";
import { onTestFinished, vi } from "vitest";
import { loadSettings } from "../../src/config/load-settings.ts";
import { describeError } from "../../src/core/errors.ts";
import { noProgress } from "../../src/observe/progress.ts";
import { runUploader } from "../../src/uploader.ts";
import { createEagerClock } from "../support/eager-clock.ts";
import { type CheckedTable, checkInvariants, type Findings } from "../support/invariants.ts";
import { type LakePlace, s3Place } from "../support/lake-place.ts";
import { createObserver, type Observer } from "../support/observer.ts";
import { openReadings, type ReadingsDatabase } from "../support/readings.ts";
import type { InProcessOptions, LogLine } from "../support/run-in-process.ts";
import { openS3Lake, type S3Lake } from "../support/s3-lake.ts";
import { type Interference, type S3Proxy, startS3Proxy } from "../support/s3-proxy.ts";
import type { S3Server } from "../support/s3-servers.ts";
import { createSourceLog } from "../support/source-log.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { assertNone, demandCheck, NODE } from "./campaign.ts";

/** What becomes of a request, by its `METHOD /path?query`. */
export type Network = (line: string) => Interference | undefined;

/** A machine whose way to S3 leads over a network that the test breaks. */
export interface NetworkSite {
  readonly folder: string;
  readonly database: string;
  readonly stateDir: string;
  readonly db: ReadingsDatabase;
  readonly lake: S3Lake;
  readonly place: LakePlace;
  readonly observer: Observer;
  readonly proxy: S3Proxy;
  readonly environment: Readonly<Record<string, string>>;
  /** All that was logged so far, at every level. */
  readonly log: readonly LogLine[];
  setNetwork(network: Network): void;
  /** Runs the uploader within the test's process. */
  run(options?: RunOptions): Promise<0 | 1>;
  /** Asserts I1 to I10 over a network without faults. */
  check(tables?: readonly CheckedTable[], lossyGenerations?: readonly number[]): Promise<Findings>;
}

export type RunOptions = Partial<Pick<InProcessOptions, "argv" | "clock" | "sleep" | "signal">> & {
  /** From 0 up to 1; left out: by chance. */
  readonly random?: () => number;
};

const IN_ORDER: Network = () => undefined;

/** So that a request without an answer is given up within the patience of a test. */
const TIMEOUTS = { idleMs: 500, smallRequestMs: 500 };

export interface NetworkSiteOptions {
  /** The text of the uploader's YAML file. */
  readonly yaml?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Whether it waits for answers as long as the uploader does. */
  readonly isPatient?: boolean;
}

export async function openNetworkSite(
  server: S3Server,
  { yaml = "", env = {}, isPatient = false }: NetworkSiteOptions = {},
): Promise<NetworkSite> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "databricks-uploader-config.yaml"), yaml);
  const database = join(folder, "sensor.db");
  const stateDir = join(folder, "state");
  const written = createSourceLog();
  const db = openReadings(database, written);
  const lake = await openS3Lake(server);
  const place = s3Place(server, lake);
  const observer = createObserver({ place, stateDir });
  const checked = demandCheck(place);
  let network = IN_ORDER;
  const proxy = await startS3Proxy(server.endpoint, (line) => network(line));
  onTestFinished(() => proxy.stop());
  const environment: Readonly<Record<string, string>> = {
    ...lake.environment,
    AWS_ENDPOINT_URL_S3: proxy.endpoint,
    STATE_DIR: stateDir,
    ...env,
  };
  // The AWS SDK looks for credentials in the environment of the process.
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const log: LogLine[] = [];
  const printed: string[] = [];

  async function run({ argv = { once: true }, signal, ...options }: RunOptions = {}): Promise<0 | 1> {
    const flags = { sqlite: database, table: "readings", "node-id": NODE, ...argv };
    const settings = loadSettings({ argv: flags, env: environment, cwd: folder, hostname: hostname() });
    const write = (line: string) => {
      printed.push(line);
      log.push(JSON.parse(line));
    };
    const clock = createEagerClock(Date.now());
    const code = await runUploader({
      settings: isPatient ? settings : { ...settings, sink: { ...settings.sink, ...{ timeouts: TIMEOUTS } } },
      acceptNewDestination: false,
      clock: options.clock ?? clock,
      sleep: options.sleep ?? clock.sleep,
      random: options.random ?? Math.random,
      log: pino({ base: null, level: "trace" }, { write }),
      progress: { ...noProgress, extracted: observer.lookAtState },
      signal: signal ?? new AbortController().signal,
    });
    return code;
  }

  const site: NetworkSite = {
    ...{ folder, database, stateDir, db, lake, place, observer, proxy, environment, log },
    setNetwork: (given) => {
      network = given;
    },
    run,
    async check(tables = [{ name: "readings" }], lossyGenerations = []) {
      checked();
      network = IN_ORDER;
      const names = tables.map(({ name }) => name);
      const findings = await checkInvariants({
        ...{ database, stateDir, place, node: NODE, tables, lossyGenerations, observer, printed },
        source: written.replay(),
        async runOnce() {
          const before = printed.length;
          const code = await run({ argv: { once: true, table: names.join(",") } }).catch((error: unknown) => {
            printed.push(describeError(error));
            return 1 as const;
          });
          return { code, printed: printed.slice(before).join("\n") };
        },
        secrets: [
          server.accessKeyId,
          server.secretAccessKey,
          ...(environment.AWS_SESSION_TOKEN ? [environment.AWS_SESSION_TOKEN] : []),
        ],
      });
      return assertNone(findings);
    },
  };
  return site;
}

/** Interferes with the first `times` matching requests. */
export function firstOf(pattern: RegExp, times: number, interference: Interference): Network {
  let left = times;
  return (line) => (pattern.test(line) && left-- > 0 ? interference : undefined);
}
