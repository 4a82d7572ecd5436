import type { Clock, Sleep } from "../core/clock.ts";
import type { Logger } from "../observe/logger.ts";
import { createMetadata, type Metadata, metadataEndpoint } from "./metadata.ts";

/**
 * What EC2 has said of the end of this spot instance
 * (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/spot-instance-termination-notices.html):
 *
 *   quiet ── a rebalance is recommended ──► at risk ── an interruption is announced ──► ending
 */
export interface SpotNotices {
  /** Whether an interruption was announced: what is there is shipped, and the program ends. */
  isEnding(): boolean;
  /** How many notices there were; each wants what is there to be delivered at once. */
  count(): number;
}

export interface SpotWatch extends SpotNotices {
  /** Aborted shortly before the instance ends. */
  readonly timeUp: AbortSignal;
  close(): Promise<void>;
}

export interface SpotWatchOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly clock: Clock;
  readonly sleep: Sleep;
  readonly log: Logger;
}

/** What there is where nobody watches. */
export const noNotices: SpotNotices = { isEnding: () => false, count: () => 0 };

/** As AWS recommends; a notice then leaves nearly all of its two minutes. */
const POLL_MS = 5_000;
/** Before the end of the instance: time to finish the object in hand. */
const MARGIN_MS = 10_000;
/** The time that a notice gives. */
const NOTICE_MS = 120_000;

/** Asks the metadata service every five seconds until an interruption is announced, which is final. */
export function watchSpotNotices({ env, clock, sleep, log }: SpotWatchOptions): SpotWatch {
  const closing = new AbortController();
  const ending = new AbortController();
  let isEnding = false;
  let count = 0;
  let recommendedAt: string | null = null;

  async function run(endpoint: string): Promise<void> {
    const metadata = createMetadata({ endpoint, signal: closing.signal });
    while (!closing.signal.aborted) {
      try {
        const endsAt = await look(metadata);
        if (endsAt !== null) return await endAt(endsAt);
      } catch (error) {
        log.debug(`no answer of the metadata service at ${endpoint} (${reasonOf(error)}); it is asked again`);
      }
      await sleep(POLL_MS, closing.signal);
    }
  }

  /** When the instance ends, in milliseconds since the epoch; null: nothing is known of it. */
  async function look(metadata: Metadata): Promise<number | null> {
    const action = await metadata.read("spot/instance-action");
    if (action !== null) return announceEnd(action);
    const recommendation = await metadata.read("events/recommendations/rebalance");
    if (recommendation !== null && recommendation !== recommendedAt) {
      recommendedAt = recommendation;
      count++;
      log.warn("EC2 says that this spot instance is at risk: what is there is delivered at once");
    }
    return null;
  }

  function announceEnd(document: string): number {
    const { action, time } = fieldsOf(document);
    const given = Date.parse(time);
    isEnding = true;
    count++;
    log.warn(
      `EC2 is going to ${action || "interrupt"} this spot instance${time ? ` at ${time}` : ""}: what is there is delivered, then the uploader ends`,
    );
    return Number.isNaN(given) ? clock.now() + NOTICE_MS : given;
  }

  async function endAt(endsAt: number): Promise<void> {
    await sleep(drainMs(endsAt, clock.now()), closing.signal);
    if (closing.signal.aborted) return;
    log.warn("the time before the interruption is over: stops after what is in hand");
    ending.abort();
  }

  const endpoint = metadataEndpoint(env);
  if (endpoint === null)
    log.info("spot notices are not watched for, since AWS_EC2_METADATA_DISABLED is true");
  const running = endpoint === null ? Promise.resolve() : run(endpoint);
  return {
    isEnding: () => isEnding,
    count: () => count,
    timeUp: ending.signal,
    async close() {
      closing.abort();
      await running;
    },
  };
}

/**
 * How long a drain may take. An end that is past, or further away than a notice is given, shows a wrong clock: that must
 * not take the drain its time, and a drain that the end of the machine cuts short loses nothing.
 *
 * @returns milliseconds
 */
export function drainMs(endsAt: number, now: number): number {
  const left = endsAt - now;
  const given = left > 0 && left <= NOTICE_MS ? left : NOTICE_MS;
  return Math.max(given - MARGIN_MS, given / 2);
}

function fieldsOf(document: string): { readonly action: string; readonly time: string } {
  try {
    const { action, time } = JSON.parse(document);
    return { action: wordOf(action), time: wordOf(time) };
  } catch {
    return { action: "", time: "" };
  }
}

/** What is fit for a log line. */
function wordOf(value: unknown): string {
  return typeof value === "string" && /^[\w:.+-]{1,40}$/.test(value) ? value : "";
}

function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Error) return (cause as NodeJS.ErrnoException).code ?? cause.message;
  return error instanceof Error ? error.message : String(error);
}
