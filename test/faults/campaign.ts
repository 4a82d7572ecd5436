import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect } from "vitest";
import { describeError } from "../../src/core/errors.ts";
import type { PipelineType } from "../../src/core/types.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import {
  type CheckedTable,
  type CleanRun,
  checkInvariants,
  type Findings,
  noteSource,
  type SourceNote,
} from "../support/invariants.ts";
import { directoryPlace, type LakePlace, s3Place } from "../support/lake-place.ts";
import { createObserver, type Observer } from "../support/observer.ts";
import { openReadings, type ReadingsDatabase } from "../support/readings.ts";
import { type LogLine, uploadOnce } from "../support/run-in-process.ts";
import { openS3Lake } from "../support/s3-lake.ts";
import type { S3Server } from "../support/s3-servers.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type Finished, type Running, startProgram } from "../support/uploader-process.ts";

/** Whether everything runs at its full length, as `npm run test:faults` has it. */
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
  readonly db: ReadingsDatabase;
  readonly place: LakePlace;
  readonly observer: Observer;
  start(flags: readonly string[], env?: Readonly<Record<string, string>>): Running;
  /** Runs the uploader to its end, which a kill may be, and looks at what it has done. */
  run(flags: readonly string[], env?: Readonly<Record<string, string>>): Promise<Finished>;
  /** Runs `--once` without a fault and without a process of its own where that is possible. */
  ship(flags?: Readonly<Record<string, unknown>>): Promise<CleanRun>;
  /** To be called when the test itself has changed the schema or the journal mode (I6). */
  noteAgain(): void;
  /** As `pipeline-manager set` does. */
  setType(type: PipelineType): void;
  /** Asserts I1 to I10. */
  check(tables?: readonly CheckedTable[], lossyGenerations?: readonly number[]): Promise<Findings>;
}

export interface SiteOptions {
  readonly folder?: string;
  readonly stateDir?: string;
  /** Left out: a folder. */
  readonly server?: S3Server | undefined;
  /** Of the program that is started: such as `faketime`. */
  readonly env?: Readonly<Record<string, string>>;
}

export async function openSite(given: SiteOptions = {}): Promise<Site> {
  const folder = given.folder ?? temporaryFolder();
  const database = join(folder, "sensor.db");
  const stateDir = given.stateDir ?? join(folder, "state");
  const db = openReadings(database);
  const lake = given.server && (await openS3Lake(given.server));
  const place = given.server && lake ? s3Place(given.server, lake) : directoryPlace(join(folder, "lake"));
  const observer = createObserver({ place, stateDir });
  const destination = lake?.environment ?? { OUTPUT_DIRECTORY: "lake", S3_ENABLED: "false", ...FAKE };
  const env = { ...destination, STATE_DIR: stateDir, ...given.env };
  const base = ["--sqlite", database, "--table", "readings", "--node-id", NODE];
  const printed: string[] = [];
  let noted = noteSource(database, []);

  const start = (args: readonly string[], more: Readonly<Record<string, string>> = {}) => {
    const running = startProgram("uploader", args, { cwd: folder, env: { ...env, ...more } });
    running.finished.then(({ stdout, stderr }) => printed.push(stdout, stderr));
    return running;
  };
  async function runProcess(): Promise<CleanRun> {
    const { code, stdout, stderr } = await start([...base, "--once"]).finished;
    return { code, printed: stdout + stderr };
  }

  /** As another process does it, but sooner. */
  async function runHere(flags: Readonly<Record<string, unknown>> = {}): Promise<CleanRun> {
    const lines: string[] = [];
    const argv = { sqlite: database, table: "readings", "node-id": NODE, ...flags };
    const onLog = (line: LogLine) => lines.push(JSON.stringify(line));
    const code = await uploadOnce({ argv, env, cwd: folder, onLog }).catch((error: unknown) => {
      lines.push(describeError(error));
      return 1 as const;
    });
    return { code, printed: lines.join("\n") };
  }

  const ship = given.server ? runProcess : runHere;
  return {
    folder,
    database,
    stateDir,
    db,
    place,
    observer,
    ship,
    start: (flags, more) => start([...base, ...flags], more),
    async run(flags, more) {
      const finished = await start([...base, ...flags], more).finished;
      await observer.look();
      return finished;
    },
    noteAgain: () => {
      noted = noteSource(database, []);
    },
    setType: (type) => setPipelineType(db, { type, by: "test", now: Date.now() }),
    async check(tables = [{ name: "readings" }], lossyGenerations = []) {
      const findings = await checkInvariants({
        database,
        stateDir,
        place,
        node: NODE,
        tables,
        lossyGenerations,
        observer,
        source: withRowsOf(noted, database, tables),
        runOnce: ship,
        printed,
        secrets: given.server
          ? [given.server.accessKeyId, given.server.secretAccessKey]
          : Object.values(FAKE),
      });
      return assertNone(findings);
    },
  };
}

/** Of this test file, whether or not the test went on to count its case. */
let violationsFound = 0;

/** Counts the violations, and fails where there is one. */
export function assertNone(findings: Findings): Findings {
  violationsFound += findings.violations.length;
  expect(findings.violations.slice(0, 10)).toEqual([]);
  return findings;
}

/** Schema and journal mode as they were noted before the uploader came, and the rows as the test has left them. */
export function withRowsOf(noted: SourceNote, database: string, tables: readonly CheckedTable[]): SourceNote {
  const names = tables.map(({ name }) => name);
  return { ...noted, rows: noteSource(database, names).rows };
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
