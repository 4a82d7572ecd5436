import { basename } from "node:path";
import { Worker } from "node:worker_threads";
import { UploaderError } from "../core/errors.ts";
import { type PackedError, unpackError } from "./packed-error.ts";

/**
 * A thread that answers calls, one after another, in the order in which they were made. What a call throws there is
 * thrown here. Where the thread breaks down, the calls in hand and all later ones are THREAD_FAILED, once it is gone
 * and has nothing open any more; so is a call that cannot be sent.
 */
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
  readonly name: string | null;
  readonly argument?: unknown;
}

/** From the thread: the answer to the first call that has none yet, or something that it notices by itself. */
export type Answer =
  | { readonly result: unknown }
  | { readonly error: PackedError }
  | { readonly notice: unknown };

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
  /**
   * Those without an answer, the first one first. No Map: each time that one is laid out anew, the old layout, once it
   * is in V8's old generation, keeps the new one and all that its entries lead to, batches included, until a full
   * collection.
   */
  const pending: Pending[] = [];
  let end: UploaderError | null = null;

  const breakDown = (reason: unknown) => {
    end ??= threadFailed(`The thread ${basename(path, ".js")} has ended: ${reasonOf(reason)}.`, reason);
    return end;
  };
  const exited = new Promise<void>((resolve) => {
    worker.once("exit", (code) => {
      const error = breakDown(`it exited with code ${code}`);
      for (const { reject } of pending.splice(0)) reject(error);
      resolve();
    });
  });
  worker.on("error", breakDown);
  // The call that it answers, or would have been, is not known.
  worker.on("messageerror", (error) => {
    breakDown(error);
    void worker.terminate();
  });
  worker.on("message", (answer: Answer) => {
    if ("notice" in answer) return onNotice(answer.notice);
    // Behind one that could not be read it is not known which call it answers; all fail when the thread is gone.
    if (end !== null) return;
    const call = pending.shift();
    if ("error" in answer) call?.reject(unpackError(answer.error));
    else call?.resolve(answer.result as never);
  });

  return {
    call: (name, argument, transfer = []) =>
      new Promise((resolve, reject) => {
        if (end !== null) {
          void exited.then(() => reject(end));
          return;
        }
        try {
          worker.postMessage({ name, argument } satisfies Call, transfer as ArrayBuffer[]);
          pending.push({ resolve, reject });
        } catch (error) {
          const message = `The thread ${basename(path, ".js")} cannot be given its work: ${reasonOf(error)}.`;
          reject(threadFailed(message, error));
        }
      }),
    hasEnded: () => end !== null,
    close: async () => {
      worker.postMessage({ name: null } satisfies Call);
      await exited;
    },
  };
}

function threadFailed(message: string, cause: unknown): UploaderError {
  const hint =
    "Wait: nothing is lost, and the next cycle starts it again. If it comes again, give the machine or container more memory, or report it.";
  return new UploaderError({ code: "THREAD_FAILED", message, hint, cause });
}

function reasonOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).replace(/\.$/, "");
}
