import type { Logger } from "../observe/logger.ts";

/** As the shell counts it: 128 and the number of the signal. */
const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

export interface Signals {
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  release(): void;
}

/**
 * Two stages: the first signal asks for an orderly stop, the second ends the process where it stands. Nothing
 * is lost either way, since whatever is not committed is done again.
 */
export function stopOnSignals(log: Logger): Signals {
  const controller = new AbortController();
  const names = Object.keys(EXIT_CODES) as (keyof typeof EXIT_CODES)[];
  const listener = (name: keyof typeof EXIT_CODES): void => {
    if (controller.signal.aborted) process.exit(EXIT_CODES[name]);
    log.info(`${name}: stops after what is in hand; once more stops at once`);
    controller.abort();
  };
  for (const name of names) process.on(name, listener as NodeJS.SignalsListener);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of names) process.off(name, listener as NodeJS.SignalsListener);
    },
  };
}
