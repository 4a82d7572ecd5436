import pino, { type Logger } from "pino";

export type { Logger };

const LEVELS = ["trace", "debug", "info", "warn", "error", "fatal", "silent"];

/** JSON lines on standard output, or readable ones where that is a terminal. */
export async function createLogger(level: string): Promise<Logger> {
  const options = {
    level,
    base: { program: "sensor" },
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
  };
  if (!process.stdout.isTTY) return pino(options);
  const { default: pretty } = await import("pino-pretty");
  return pino(options, pretty({ sync: true, singleLine: true, ignore: "pid,hostname,program" }));
}

/** The level that flag and environment ask for; a LOG_LEVEL that does not exist is `info`. */
export function chooseLevel(debug: boolean, variable: string | undefined): string {
  if (debug) return "debug";
  return variable && LEVELS.includes(variable) ? variable : "info";
}
