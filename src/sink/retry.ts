import { type ErrorCode, UploaderError } from "../core/errors.ts";

/**
 * What to do after an error of a sink:
 * - `transient`: the network or the server; try again.
 * - `throttled`: the server asks for fewer requests; try again.
 * - `credential`: only a person can mend it, but from outside: keep waiting and trying, and say so.
 * - `permanent`: another try would fail the same way; stop that source loudly and go on with the others.
 */
export type RetryKind = "transient" | "throttled" | "credential" | "permanent";

/** The retry policy. s3-errors.ts says which answer of S3 becomes which code. */
const RETRY_KINDS: Partial<Record<ErrorCode, RetryKind>> = {
  SINK_UNAVAILABLE: "transient",
  SINK_THROTTLED: "throttled",
  SINK_CREDENTIALS: "credential",
  SINK_DENIED: "credential",
  SINK_BUCKET_MISSING: "permanent",
  SINK_CONFLICT: "permanent",
  SINK_REJECTED: "permanent",
  OUTBOX_DAMAGED: "permanent",
  // Not of a sink: what was delivered cannot be struck at the moment, on a full disk for instance.
  STATE_UNWRITABLE: "transient",
};

const FIRST_DELAY_MS = 1_000;
const LONGEST_DELAY_MS = 5 * 60_000;

/** The kind of an error that a sink threw; what no sink throws on purpose is permanent. */
export function retryKind(error: unknown): RetryKind {
  return (error instanceof UploaderError && RETRY_KINDS[error.code]) || "permanent";
}

/** Whether another try can help. */
export function isRetryable(error: unknown): boolean {
  return retryKind(error) !== "permanent";
}

/**
 * How long to wait before the next try: doubling from one second to five minutes, of which a random half is
 * taken off, so that a fleet that lost its network together does not come back together.
 *
 * @param attempt how many tries have failed: 1, 2, 3, …
 * @param random from 0 up to 1, as of `Math.random`
 * @returns milliseconds, never more than five minutes
 */
export function nextDelayMs(attempt: number, random: () => number): number {
  const longest = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** (Math.max(1, attempt) - 1));
  return Math.round(longest * (1 - random() / 2));
}
