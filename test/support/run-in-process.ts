import { hostname } from "node:os";
import { pino } from "pino";
import { loadSettings } from "../../src/config/load-settings.ts";
import { type Clock, systemClock, systemSleep } from "../../src/core/clock.ts";
import { noProgress } from "../../src/observe/progress.ts";
import { runUploader } from "../../src/uploader.ts";

export interface InProcessOptions {
  /** Flags, as on the command line, without their dashes. */
  readonly argv: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly clock?: Clock;
  readonly signal?: AbortSignal;
  readonly acceptNewDestination?: boolean;
}

/** Runs the uploader once within the test's process, with logs off. */
export function uploadOnce(options: InProcessOptions): Promise<0 | 1> {
  const { argv, env = {}, cwd, clock = systemClock, acceptNewDestination = false } = options;
  return runUploader({
    settings: loadSettings({ argv: { once: true, ...argv }, env, cwd, hostname: hostname() }),
    acceptNewDestination,
    clock,
    sleep: systemSleep,
    random: Math.random,
    log: pino({ level: "silent" }),
    progress: noProgress,
    signal: options.signal ?? new AbortController().signal,
  });
}
