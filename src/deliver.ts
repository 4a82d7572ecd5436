import type { Clock, Sleep } from "./core/clock.ts";
import { UploaderError } from "./core/errors.ts";
import { failpoint } from "./core/failpoints.ts";
import { safeName } from "./core/names.ts";
import type { OutboxObject } from "./core/types.ts";
import type { Logger } from "./observe/logger.ts";
import { type Lane, nextWaiting, noteFailure, strike } from "./outbox/objects.ts";
import { readSources, type SourceState } from "./outbox/sources.ts";
import { describeStateError, isPassing, type State } from "./outbox/state.ts";
import type { Ownership } from "./ownership.ts";
import { nextDelayMs, retryKind } from "./sink/retry.ts";
import type { ObjectToPut, Sink } from "./sink/sink.ts";

export interface DeliveryOptions {
  readonly state: State;
  readonly sink: Sink;
  readonly ownership: Ownership;
  readonly clock: Clock;
  readonly sleep: Sleep;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly log: Logger;
  /** How long a source is tried without success before its lanes give up; null: for ever. */
  readonly giveUpAfterMs: number | null;
  /** Called after each object that the sink has confirmed. */
  readonly onDelivered: (object: OutboxObject) => void;
  /** Called after each try that failed. */
  readonly onFailed?: (object: OutboxObject, error: UploaderError) => void;
}

/**
 * Delivers what waits in the outbox, beside the extraction that fills it. There are two lanes, one for
 * emergency objects and one for all others; each sends one object at a time, the oldest first.
 *
 * In each lane a source is
 *
 *   ready ── a try failed, another can help ──► resting ── its delay is over ──► ready
 *   ready ── a try failed, no other can help, or it was tried for too long ──► stopped
 */
export interface Delivery {
  /** Says that the outbox has something new. */
  wake(): void;
  /** Tries again at once what rests, as if it had not failed. */
  retryNow(): void;
  /** Resolves when nothing waits but what belongs to sources that are stopped. */
  settled(): Promise<void>;
  /** Why a source is stopped; undefined while it is not. */
  failure(source: SourceState): UploaderError | undefined;
  /** Rejects where a lane has ended because the state could not be read or written; never resolves. */
  readonly broken: Promise<never>;
  /** Lets the objects in hand be finished, begins no other, and resolves then; rejects where `broken` does. */
  stop(): Promise<void>;
}

interface Rest {
  failures: number;
  readonly failingSince: number;
  readonly since: number;
  /** When to try again; Infinity: stopped. */
  retryAt: number;
  error: UploaderError;
}

interface Waiting {
  readonly source: SourceState;
  readonly object: OutboxObject;
}

/** The longest that Node.js can wait for in one go. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

export function startDelivery(options: DeliveryOptions): Delivery {
  const lanes = (["emergency", "ordinary"] as const).map((lane) => startLane(lane, options));
  return {
    wake: () => {
      for (const lane of lanes) lane.wake();
    },
    retryNow: () => {
      for (const lane of lanes) lane.retryNow();
    },
    settled: async () => {
      await Promise.all(lanes.map((lane) => lane.settled()));
    },
    failure: (source) => lanes.map((lane) => lane.failure(source)).find((error) => error !== undefined),
    broken: handled(Promise.race(lanes.map((lane) => lane.broken))),
    stop: async () => {
      const ends = await Promise.allSettled(lanes.map((lane) => lane.stop()));
      for (const end of ends) if (end.status === "rejected") throw end.reason;
    },
  };
}

function startLane(lane: Lane, options: DeliveryOptions): Delivery {
  const { state, clock, sleep, log } = options;
  const rests = new Map<number, Rest>();
  const stopping = new AbortController();
  let waking = new AbortController();
  const settle: (() => void)[] = [];

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      const woken = waking.signal;
      const { next, retryAt } = pick();
      if (next) {
        await deliver(next.source, next.object);
        continue;
      }
      if (retryAt === Number.POSITIVE_INFINITY) for (const resolve of settle.splice(0)) resolve();
      const pause = Math.min(retryAt - clock.now(), LONGEST_TIMER_MS);
      await sleep(pause, AbortSignal.any([woken, stopping.signal]));
      if (woken.aborted) waking = new AbortController();
    }
    for (const resolve of settle.splice(0)) resolve();
  }

  /** The oldest object of a source that is ready, else when the first of those that rest is. */
  function pick(): { readonly next: Waiting | null; readonly retryAt: number } {
    let next: Waiting | null = null;
    let retryAt = Number.POSITIVE_INFINITY;
    for (const source of readSources(state.db)) {
      const object = nextWaiting(state, source, lane);
      if (!object) continue;
      const readyAt = readyAtOf(source);
      if (readyAt > clock.now()) retryAt = Math.min(retryAt, readyAt);
      else if (next === null || object.id < next.object.id) next = { source, object };
    }
    return { next, retryAt };
  }

  /** A rest that began in the future is over: the clock was set back, by a day perhaps. */
  function readyAtOf(source: SourceState): number {
    const found = rests.get(source.id);
    if (!found) return 0;
    return found.since > clock.now() && Number.isFinite(found.retryAt) ? 0 : found.retryAt;
  }

  async function deliver(source: SourceState, object: OutboxObject): Promise<void> {
    const began = clock.now();
    try {
      await options.ownership.ensure(source);
      failpoint("before-put");
      // A large object may take longer than a look is trusted.
      const stillOurs = () => options.ownership.ensure(source);
      const result = await options.sink.put(objectToPut(source, object), undefined, stillOurs);
      failpoint("after-put");
      strike(state, source, object, clock.now());
      rests.delete(source.id);
      log.info(
        { ...describe(source, object), durationMs: clock.now() - began },
        result === "stored" ? "delivered" : "was delivered already",
      );
      options.onDelivered(object);
    } catch (error) {
      rest(source, object, describeStateError(error, state.files.database));
    }
  }

  function rest(source: SourceState, object: OutboxObject, error: unknown): void {
    if (!(error instanceof UploaderError) || !isPassing(error)) throw error;
    note(object, error.message);
    options.onFailed?.(object, error);
    const now = clock.now();
    const previous = rests.get(source.id);
    // Not later than now, so that a clock that was set back cannot put off the end of the tries.
    const failingSince = Math.min(previous?.failingSince ?? now, now);
    const failures = (previous?.failures ?? 0) + 1;
    const isHopeless = retryKind(error) === "permanent";
    const isTooLong = options.giveUpAfterMs !== null && now - failingSince >= options.giveUpAfterMs;
    const isStopped = isHopeless || isTooLong;
    const giveUpAt = failingSince + (options.giveUpAfterMs ?? Number.POSITIVE_INFINITY);
    const nextTry = Math.min(now + nextDelayMs(failures, options.random), giveUpAt);
    const retryAt = isStopped ? Number.POSITIVE_INFINITY : nextTry;
    rests.set(source.id, { failures, failingSince, since: now, retryAt, error });
    const fields = { ...describe(source, object), err: error };
    if (isHopeless)
      log.error(
        fields,
        "this source is stopped and its objects stay in the outbox: mend the cause and start the uploader again, or take the object out with `uploader outbox set-aside`",
      );
    else if (isTooLong) log.error(fields, "given up for now; the objects stay in the outbox");
    else if (retryKind(error) === "credential")
      log.error(
        { ...fields, retryInMs: retryAt - now },
        "not delivered; it is tried again until the access is granted",
      );
    else log.warn({ ...fields, retryInMs: retryAt - now }, "not delivered; it is tried again");
  }

  /** For people: where the state cannot be written at the moment, the log has to do. */
  function note(object: OutboxObject, message: string): void {
    try {
      noteFailure(state, object, message);
    } catch (error) {
      const err = describeStateError(error, state.files.database);
      log.debug({ err }, "the reason cannot be noted in the state at the moment");
    }
  }

  const running = run();
  return {
    broken: handled(running.then(() => new Promise<never>(() => {}))),
    wake: () => waking.abort(),
    retryNow: () => {
      for (const [id, { retryAt }] of rests) if (Number.isFinite(retryAt)) rests.delete(id);
      waking.abort();
    },
    settled: () =>
      new Promise((resolve, reject) => {
        settle.push(resolve);
        running.catch(reject);
        waking.abort();
      }),
    failure: (source) => {
      const found = rests.get(source.id);
      return found?.retryAt === Number.POSITIVE_INFINITY ? found.error : undefined;
    },
    stop: async () => {
      stopping.abort();
      await running;
    },
  };
}

/** Whoever waits for it meets its rejection; that nobody may be waiting yet does not end the process. */
function handled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  return promise;
}

/** The bytes of an object, and what is known only when it is complete, for the sink. */
function objectToPut(source: SourceState, object: OutboxObject): ObjectToPut {
  const { bucket, key, path, bytes, sha256 } = object;
  return {
    bucket,
    key,
    path,
    bytes,
    sha256,
    metadata: {
      node: safeName(source.node),
      table: safeName(source.table),
      generation: String(object.generation),
      sequence: String(object.sequence),
      "pipeline-type": object.pipelineType,
      revision: String(object.revisionId),
      rows: String(object.rows),
      "first-rowid": String(object.firstRowid),
      "last-rowid": String(object.lastRowid),
    },
  };
}

function describe(source: SourceState, object: OutboxObject) {
  return {
    node: source.node,
    table: source.table,
    pipelineType: object.pipelineType,
    revision: object.revisionId,
    object: `${object.bucket}/${object.key}`,
    rows: object.rows,
    bytes: object.bytes,
  };
}
