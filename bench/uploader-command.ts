import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { PipelineType } from "../src/core/types.ts";
import type { S3Server } from "../test/support/s3-servers.ts";
import { builtProgram } from "./places.ts";
import type { TestTable } from "./test-tables.ts";

/** Where objects go. */
export type Destination =
  | { readonly kind: "directory"; readonly folder: string }
  | {
      readonly kind: "s3";
      readonly server: S3Server;
      readonly bucket: string;
      /** Where versitygw keeps the bucket's objects as files. */
      readonly folder: string;
    };

export interface UploaderRun {
  readonly source: Pick<TestTable, "database" | "table">;
  readonly destination: Destination;
  /** For the state and what else the run leaves; each run has its own. */
  readonly folder: string;
}

/** PATH, HOME and TMPDIR alone, so that no setting and no credential of the caller leaks into a run. */
export function plainEnvironment(): Record<string, string> {
  const { PATH = "", HOME = "", TMPDIR = "/tmp" } = process.env;
  return { PATH, HOME, TMPDIR };
}

/** Settings of the uploader; all others have their defaults. The source database stays as it is. */
export function uploaderEnvironment({ source, destination, folder }: UploaderRun): Record<string, string> {
  const settings = {
    SQLITE_PATH: source.database,
    SQLITE_TABLE_NAME: source.table,
    PIPELINE_DB: join(folder, "pipeline.db"),
    NODE_ID: "bench",
    STATE_DIR: join(folder, "state"),
  };
  if (destination.kind === "directory")
    return { ...plainEnvironment(), ...settings, S3_ENABLED: "false", OUTPUT_DIRECTORY: destination.folder };
  const { server, bucket } = destination;
  return {
    ...plainEnvironment(),
    ...settings,
    ...server.environment,
    S3_BUCKET_RAW: bucket,
    S3_BUCKET_SCHEMATIZED: bucket,
    S3_BUCKET_AGGREGATED: bucket,
    S3_BUCKET_EMERGENCY: bucket,
  };
}

/** The command that ships what there is, and exits. */
export function uploaderOnce(): string[] {
  return [process.execPath, builtProgram("uploader"), "--once"];
}

/** As an operator would: with `pipeline-manager set`. */
export function setPipelineType(run: UploaderRun, type: PipelineType): void {
  const env = uploaderEnvironment(run);
  execFileSync(process.execPath, [builtProgram("pipeline-manager"), "set", type, "--by", "bench"], {
    cwd: run.folder,
    env,
    stdio: ["ignore", "ignore", "inherit"],
  });
}

/** Ships what there is, and throws with the end of the log where that fails. */
export function shipOnce(run: UploaderRun): void {
  const [command = "", ...args] = uploaderOnce();
  execFileSync(command, args, {
    cwd: run.folder,
    env: uploaderEnvironment(run),
    stdio: ["ignore", "ignore", "inherit"],
  });
}

export interface RunningUploader {
  readonly pid: number;
  /** Lets it finish what is in hand. @throws where it does not end well */
  stop(): Promise<void>;
}

/** Starts the uploader for as long as the bench runs, or until it is stopped. */
export function startUploader(run: UploaderRun, settings: Readonly<Record<string, string>>): RunningUploader {
  return startProgram("uploader", [], run.folder, { ...uploaderEnvironment(run), ...settings });
}

/** Starts a built program; its output goes to a file in the folder. */
export function startProgram(
  name: "uploader" | "sensor",
  args: readonly string[],
  folder: string,
  env: Readonly<Record<string, string>>,
): RunningUploader {
  const log = join(folder, `${name}.log`);
  const output = openSync(log, "w");
  const child = spawn(process.execPath, [builtProgram(name), ...args], {
    cwd: folder,
    env,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  const closed = once(child, "close");
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  return {
    pid: child.pid ?? 0,
    async stop() {
      child.kill("SIGTERM");
      const [code] = await closed;
      process.off("exit", kill);
      if (code !== 0) throw new Error(`${name} ended with ${code}:\n${endOfLog(log)}`);
    },
  };
}

export function endOfLog(path: string): string {
  return readFileSync(path, "utf8").slice(-2_000);
}
