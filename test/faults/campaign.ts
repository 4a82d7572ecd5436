import { appendFileSync, existsSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, vi } from "vitest";
import { loadSettings } from "../../src/config/load-settings.ts";
import type { Settings } from "../../src/config/settings.ts";
import type { PipelineType } from "../../src/core/types.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import {
  type CheckedTable,
  type CheckOptions,
  type CleanRun,
  checkInvariants,
  checkRefusal,
  type Findings,
} from "../support/invariants.ts";
import { directoryPlace, type LakePlace, s3Place } from "../support/lake-place.ts";
import { createObserver, type Observer } from "../support/observer.ts";
import { openReadings, type ReadingsDatabase } from "../support/readings.ts";
import {
  type InProcessOptions,
  type LogLine,
  type RunningInProcess,
  startInProcess,
} from "../support/run-in-process.ts";
import { openS3Lake } from "../support/s3-lake.ts";
import type { S3Server } from "../support/s3-servers.ts";
import { createSourceLog, type SourceLog } from "../support/source-log.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import type { Finished, Running } from "../support/uploader-process.ts";
import { createUploaderRuns } from "./uploader-runs.ts";

/** Whether the random kills are as many as `npm run test:faults` has them; all else has one length. */
export const IS_FULL = process.env.FAULTS === "full";

/** The seed of what is random here; given to replay a failure. */
export const SEED = Number(process.env.TEST_SEED ?? Date.now() % 1_000_000);

export const NODE = "press-7";

/** Credentials in the environment of an uploader that needs none. */
const FAKE = {
  AWS_ACCESS_KEY_ID: "AKIAFAKEFAKEFAKEFAKE",
  AWS_SECRET_ACCESS_KEY: "fake/secret+access/key+that/nobody/has+x",
  AWS_SESSION_TOKEN: "FwoGfakeSessionTokenThatNobodyHas==",
};

/** One edge machine with its sensor's database, state folder and lake. */
export interface Site {
  readonly folder: string;
  readonly database: string;
  readonly stateDir: string;
  /** The uploader's: the state folder, the lake and its credentials. */
  readonly env: Readonly<Record<string, string>>;
  /** Everything that is written through it is in the log. */
  readonly db: ReadingsDatabase;
  readonly log: SourceLog;
  readonly place: LakePlace;
  readonly observer: Observer;
  start(flags: readonly string[], env?: Readonly<Record<string, string>>): Running;
  /** Runs the uploader to its end, which a kill may be, and looks at what it has done. */
  run(flags: readonly string[], env?: Readonly<Record<string, string>>): Promise<Finished>;
  /** Runs `--once` without a fault and without a process of its own where that is possible. */
  ship(flags?: Flags): Promise<CleanRun>;
  /** Starts it in the test's process, where its clock and what it sees of the machine can be others. */
  startHere(flags?: Flags, options?: Here): RunningInProcess;
  /** What the uploader goes by here. */
  settings(flags?: Flags): Settings;
  /** A connection to a file that takes the source's place: with it begins another log. */
  openNew(path?: string): ReadingsDatabase;
  /** As `pipeline-manager set` does. */
  setType(type: PipelineType): void;
  /** Asserts I1 to I10. */
  check(tables?: readonly CheckedTable[], options?: CheckedRun): Promise<Findings>;
  /** Asserts that a run is refused and changes nothing; gives back what it printed. */
  refuse(
    options?: CheckedRun,
    run?: () => Promise<CleanRun>,
  ): Promise<Findings & { readonly printed: string }>;
  /** What the checker is asked with. */
  checkOptions(tables: readonly CheckedTable[], options?: CheckedRun): CheckOptions;
}

export type Flags = Readonly<Record<string, unknown>>;
export type Here = Partial<
  Pick<InProcessOptions, "clock" | "sleep" | "notices" | "readFileSystem" | "createThreads">
>;

/** How the checker runs the uploader, and what it has to know of what happened. */
export interface CheckedRun
  extends Partial<
    Pick<
      CheckOptions,
      "lossyGenerations" | "damagedTables" | "controlDatabase" | "node" | "stateDir" | "observer"
    >
  > {
  readonly flags?: Flags;
  readonly here?: Here;
}

export interface SiteOptions {
  /** With a database in it, or the lake or the state of an earlier site, these are taken as they are. */
  readonly folder?: string;
  readonly stateDir?: string;
  /** Left out: a folder. */
  readonly server?: S3Server | undefined;
  /** Runs within the test's process, for whose environment the AWS SDK asks, also where objects go to a server. */
  readonly isInProcess?: boolean;
  /** Of the program that is started: such as `faketime`. */
  readonly env?: Readonly<Record<string, string>>;
}

export async function openSite(given: SiteOptions = {}): Promise<Site> {
  const folder = given.folder ?? temporaryFolder();
  const database = join(folder, "sensor.db");
  const stateDir = given.stateDir ?? join(folder, "state");
  const log = createSourceLog();
  const isNew = !existsSync(database);
  const db = isNew ? openReadings(database, log) : log.open(database);
  if (!isNew) log.beginAgain(db);
  const lake = given.server && (await openS3Lake(given.server));
  const place = given.server && lake ? s3Place(given.server, lake) : directoryPlace(join(folder, "lake"));
  const observer = createObserver({ place, stateDir });
  const destination = lake?.environment ?? { OUTPUT_DIRECTORY: "lake", S3_ENABLED: "false", ...FAKE };
  const env = { ...destination, STATE_DIR: stateDir, ...given.env };
  const base = ["--sqlite", database, "--table", "readings", "--node-id", NODE];
  const logs: LogLine[][] = [];
  const checked = demandCheck(place);

  const argv = { sqlite: database, table: "readings", "node-id": NODE };
  const { start, runProcess, runHere, printed } = createUploaderRuns({
    ...{ cwd: folder, env, argv },
    onExtracted: observer.lookAtState,
  });

  function checkOptions(
    tables: readonly CheckedTable[],
    { flags = {}, here = {}, ...options }: CheckedRun = {},
  ): CheckOptions {
    checked();
    return {
      ...{ database, stateDir, place, node: NODE, tables, observer, ...options },
      source: log.replay(),
      runOnce: () => ship(flags, here),
      printed: [...printed, ...logs.flat().map((line) => JSON.stringify(line))],
      secrets: given.server ? [given.server.accessKeyId, given.server.secretAccessKey] : Object.values(FAKE),
    };
  }

  if (given.isInProcess) {
    for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
  }
  const ship: typeof runHere = given.server && !given.isInProcess ? runProcess : runHere;
  return {
    ...{ folder, database, stateDir, env, db, log, place, observer, ship, checkOptions },
    start: (flags, more) => start([...base, ...flags], more),
    async run(flags, more) {
      const finished = await start([...base, ...flags], more).finished;
      await observer.look();
      return finished;
    },
    startHere(flags, here) {
      const progress = { extracted: observer.lookAtState };
      const running = startInProcess({ argv: { ...argv, ...flags }, env, cwd: folder, progress, ...here });
      logs.push(running.log as LogLine[]);
      return running;
    },
    settings: (flags) =>
      loadSettings({ argv: { ...argv, ...flags }, env, cwd: folder, hostname: hostname() }),
    openNew(path = database) {
      log.beginAgain();
      return log.open(path);
    },
    setType: (type) => setPipelineType(db, { type, by: "test", now: Date.now() }),
    check: async (tables = [{ name: "readings" }], options) =>
      assertNone(await checkInvariants(checkOptions(tables, options))),
    refuse: async (options, run) => {
      const given = checkOptions([], options);
      return assertNone(await checkRefusal({ ...given, runOnce: run ?? given.runOnce }));
    },
  };
}

/** Fails a test that ships rows and ends before the function it gets was called. */
export function demandCheck(place: LakePlace): () => void {
  let isChecked = false;
  onTestFinished(() => {
    if (!isChecked && place.objects().length > 0) throw new Error("rows were shipped, and not checked");
  });
  return () => {
    isChecked = true;
  };
}

/** Of this test file, whether or not the test went on to count its case. */
let violationsFound = 0;

/** Counts the violations, and fails where there is one. */
export function assertNone<Found extends Findings>(findings: Found): Found {
  violationsFound += findings.violations.length;
  expect(findings.violations.slice(0, 10)).toEqual([]);
  return findings;
}

export interface Tally {
  add(findings: Findings): void;
}

/** Counts the cases of one scenario, and writes its line for scripts/faults-report.ts when the file is through. */
export function tallyScenario(scenario: string): Tally {
  const total = { scenario, cases: 0, rows: 0, objects: 0 };
  afterAll(() => {
    const file = process.env.UPLOADER_FAULTS_REPORT;
    if (file) appendFileSync(file, `${JSON.stringify({ ...total, violations: violationsFound })}\n`);
  });
  return {
    add({ rows, objects }) {
      total.cases++;
      total.rows += rows;
      total.objects += objects;
    },
  };
}
