import { Worker } from "node:worker_threads";
import { type PackedError, unpackError } from "./packed-error.ts";

/** A thread that answers calls, one after another, in the order in which they were made. */
export interface Thread<Calls extends CallTable> {
  call<Name extends keyof Calls & string>(
    name: Name,
    argument: Parameters<Calls[Name]>[0],
    transfer?: readonly ArrayBuffer[],
  ): Promise<Awaited<ReturnType<Calls[Name]>>>;
  /** Whether it has broken down; calls are then refused. */
  hasEnded(): boolean;
  /** Lets the calls in hand be answered, then ends the thread. */
  close(): Promise<void>;
}

/** Each takes one argument and gives what can be cloned: https://nodejs.org/api/worker_threads.html#portpostmessagevalue-transferlist */
// biome-ignore lint/suspicious/noExplicitAny: each call has an argument and a result of its own
export type CallTable = Record<string, (argument: any) => unknown>;

/** To the thread; no name: end. */
export interface Call {
  readonly id: number;
  readonly name: string | null;
  readonly argument?: unknown;
}

/** From the thread: the answer to a call, or, with no id, something that it notices by itself. */
export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: PackedError }
  | { readonly id: null; readonly notice: unknown };

/** For objects that are soon garbage: batches are no JavaScript objects, so that there is little else. */
const YOUNG_MEGABYTES = 4;

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Starts a thread of the program at `path`, which calls `answerCalls`.
 *
 * @param data for the program, as its `workerData`
 * @param onNotice is given what the thread notices between calls
 */
export function startThread<Calls extends CallTable>(
  path: string,
  data: unknown,
  onNotice: (notice: unknown) => void = () => {},
): Thread<Calls> {
  const worker = new Worker(path, {
    workerData: data,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MEGABYTES },
  });
  const pending = new Map<number, Pending>();
  let calls = 0;
  let end: unknown = null;

  const rejectAll = (error: unknown) => {
    end ??= error;
    for (const { reject } of pending.values()) reject(end);
    pending.clear();
  };
  const exited = new Promise<void>((resolve) => {
    worker.once("exit", (code) => {
      rejectAll(new Error(`the thread ${path} has ended with ${code}`));
      resolve();
    });
  });
  worker.on("error", rejectAll);
  worker.on("message", (answer: Answer) => {
    if (answer.id === null) return onNotice(answer.notice);
    const call = pending.get(answer.id);
    pending.delete(answer.id);
    if ("error" in answer) call?.reject(unpackError(answer.error));
    else call?.resolve(answer.result as never);
  });

  return {
    call: (name, argument, transfer = []) =>
      new Promise((resolve, reject) => {
        if (end !== null) return reject(end);
        const id = ++calls;
        pending.set(id, { resolve, reject });
        worker.postMessage({ id, name, argument } satisfies Call, transfer as ArrayBuffer[]);
      }),
    hasEnded: () => end !== null,
    close: async () => {
      worker.postMessage({ id: 0, name: null } satisfies Call);
      await exited;
    },
  };
}
