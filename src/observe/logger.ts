import { createRequire } from "node:module";
import { type Logger as PinoLogger, pino } from "pino";
import { UploaderError } from "../core/errors.ts";

export type Logger = PinoLogger;

/**
 * The fields that log lines have, beside pino's own `level`, `time` and `msg`. Rowids are strings where a
 * JSON number would not be exact.
 */
export interface LogFields {
  readonly node?: string;
  readonly table?: string;
  readonly pipelineType?: string;
  readonly revision?: number;
  /** The key. */
  readonly object?: string;
  readonly firstRowid?: bigint;
  readonly lastRowid?: bigint;
  readonly rows?: number;
  readonly bytes?: number;
  readonly durationMs?: number;
  readonly err?: unknown;
}

/** JSON lines on standard output, readable ones on a terminal. */
export function createLogger(level: string, options: { readonly isTerminal: boolean }): Logger {
  const settings = {
    level,
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    serializers: { err: serializeError, firstRowid: serializeRowid, lastRowid: serializeRowid },
  };
  if (!options.isTerminal) return pino(settings);
  const pretty = createRequire(import.meta.url)("pino-pretty");
  return pino(settings, pretty({ colorize: true, translateTime: "SYS:HH:MM:ss", sync: true }));
}

/** What an operator can act on has no stack; a defect of ours keeps it. */
function serializeError(error: unknown): unknown {
  if (error instanceof UploaderError) return { code: error.code, message: error.message, hint: error.hint };
  if (error instanceof Error) return { message: error.message, stack: error.stack };
  return { message: String(error) };
}

function serializeRowid(rowid: unknown): unknown {
  return typeof rowid === "bigint" && Number.isSafeInteger(Number(rowid)) ? Number(rowid) : String(rowid);
}
