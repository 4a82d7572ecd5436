import { hostname } from "node:os";
import { pino } from "pino";
import { onTestFinished } from "vitest";
import { loadSettings } from "../../src/config/load-settings.ts";
import { type Clock, type Sleep, systemClock, systemSleep } from "../../src/core/clock.ts";
import type { Monitor } from "../../src/observe/monitor.ts";
import { noProgress, type Progress } from "../../src/observe/progress.ts";
import type { SpotNotices } from "../../src/spot/notices.ts";
import type { ReadFileSystem } from "../../src/sqlite/file-system.ts";
import { runUploader, type UploaderOptions } from "../../src/uploader.ts";

export interface InProcessOptions {
  /** Flags, as on the command line, without their dashes. */
  readonly argv: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly clock?: Clock;
  readonly sleep?: Sleep;
  readonly signal?: AbortSignal;
  readonly notices?: SpotNotices;
  readonly acceptNewDestination?: boolean;
  /** Told of each extraction and delivery as it happens. */
  readonly progress?: Partial<Progress>;
  readonly monitor?: Monitor;
  /** Names file systems that the test cannot have. */
  readonly readFileSystem?: ReadFileSystem;
  /** Backlogs are extracted by threads, as in the program; left out: all is done on the test's own. */
  readonly createThreads?: UploaderOptions["createThreads"];
  /** Told of each line that is logged; without it logs are off. */
  readonly onLog?: (line: LogLine) => void;
}

/** A line of the log: pino's own fields, and those of observe/logger.ts. */
export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly err?: { readonly code?: string; readonly message: string };
  readonly [field: string]: unknown;
}

export const noLog = pino({ level: "silent" });

/** Runs the uploader once within the test's process. */
export function uploadOnce(options: InProcessOptions): Promise<0 | 1> {
  return run({ ...options, argv: { once: true, ...options.argv } });
}

export interface RunningInProcess {
  readonly log: readonly LogLine[];
  /** Asks for an orderly stop. */
  stop(): Promise<0 | 1>;
  readonly finished: Promise<0 | 1>;
}

/** Starts the uploader within the test's process; it is stopped when the test ends. */
export function startInProcess(options: Omit<InProcessOptions, "signal" | "onLog">): RunningInProcess {
  const stopping = new AbortController();
  const log: LogLine[] = [];
  const finished = run({ ...options, signal: stopping.signal, onLog: (line) => log.push(line) });
  finished.catch(() => {});
  const stop = () => {
    stopping.abort();
    return finished;
  };
  onTestFinished(() =>
    stop().then(
      () => {},
      () => {},
    ),
  );
  return { log, stop, finished };
}

async function run(options: InProcessOptions): Promise<0 | 1> {
  const { argv, env = {}, cwd, onLog, acceptNewDestination = false } = options;
  return runUploader({
    settings: loadSettings({ argv, env, cwd, hostname: hostname() }),
    acceptNewDestination,
    clock: options.clock ?? systemClock,
    sleep: options.sleep ?? systemSleep,
    random: Math.random,
    log: onLog
      ? pino({ base: null, level: "debug" }, { write: (line: string) => onLog(JSON.parse(line)) })
      : noLog,
    progress: { ...noProgress, ...options.progress },
    notices: options.notices,
    signal: options.signal ?? new AbortController().signal,
    ...(options.createThreads ? { createThreads: options.createThreads } : {}),
    ...(options.monitor ? { monitor: options.monitor } : {}),
    ...(options.readFileSystem ? { readFileSystem: options.readFileSystem } : {}),
  });
}
