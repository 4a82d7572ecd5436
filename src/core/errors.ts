/** What went wrong, as a stable name: scripts and tests match on it, people read the message. */
export type ErrorCode =
  | "CONFIG_INVALID"
  | "USAGE"
  | "SOURCE_MISSING"
  | "SOURCE_NOT_A_DATABASE"
  | "SOURCE_LOCKED"
  | "SOURCE_UNREADABLE"
  | "SOURCE_UNSUPPORTED"
  | "SOURCE_TABLE_MISSING"
  | "SOURCE_COLUMN_MISSING"
  | "SOURCE_AMBIGUOUS"
  | "CONTROL_UNAVAILABLE"
  | "NETWORK_FILE_SYSTEM"
  | "STATE_LOCKED"
  | "STATE_DAMAGED"
  | "STATE_UNWRITABLE"
  | "DESTINATION_CHANGED"
  | "OWNED_BY_ANOTHER"
  | "OUTBOX_DAMAGED"
  | "THREAD_FAILED"
  | "SINK_CONFLICT"
  | "SINK_CREDENTIALS"
  | "SINK_DENIED"
  | "SINK_BUCKET_MISSING"
  | "SINK_UNAVAILABLE"
  | "SINK_THROTTLED"
  | "SINK_REJECTED";

export interface ErrorDetails {
  readonly code: ErrorCode;
  /** One sentence: what is wrong, with the name of the thing that it is about. */
  readonly message: string;
  /** One sentence that starts with a verb: what the operator can do. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/**
 * An error that an operator can act on. The programs print its message and hint, never its stack.
 * Everything else that is thrown is a defect of this project.
 */
export class UploaderError extends Error {
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor({ code, message, hint, cause }: ErrorDetails) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = "UploaderError";
    this.code = code;
    this.hint = hint;
  }

  /** 2 where the command or its configuration is at fault, 1 where the world is. */
  get exitCode(): 1 | 2 {
    return this.code === "CONFIG_INVALID" || this.code === "USAGE" ? 2 : 1;
  }
}

/** The text of an error for a person: message, then the hint on a line of its own. */
export function describeError(error: unknown): string {
  if (error instanceof UploaderError) return error.hint ? `${error.message}\n${error.hint}` : error.message;
  return error instanceof Error ? error.message : String(error);
}
