import { parentPort } from "node:worker_threads";
import { packError } from "./packed-error.ts";
import type { Answer, Call, CallTable } from "./thread.ts";

/** A result whose buffers are handed over rather than copied. */
export class Transferred {
  readonly value: unknown;
  readonly buffers: readonly ArrayBuffer[];

  constructor(value: unknown, buffers: readonly ArrayBuffer[]) {
    this.value = value;
    this.buffers = buffers;
  }
}

/** The thread's side of `startThread`: answers each call by the function of its name, one after another. */
export function answerCalls(calls: CallTable, release: () => void = () => {}): void {
  if (!parentPort) throw new Error("this program is a thread of the uploader");
  const port = parentPort;
  const post = (answer: Answer, transfer: readonly ArrayBuffer[] = []) =>
    port.postMessage(answer, transfer as ArrayBuffer[]);
  let last: Promise<void> = Promise.resolve();

  async function answer({ name, argument }: Call): Promise<void> {
    if (name === null) {
      release();
      port.close();
      return;
    }
    try {
      const result = await (calls[name] as CallTable[string])(argument);
      if (result instanceof Transferred) post({ result: result.value }, result.buffers);
      else post({ result });
    } catch (error) {
      post({ error: packError(error) });
    }
  }

  // Whoever made the call would wait for ever: where the thread ends, its calls fail.
  port.on("messageerror", (error) => {
    throw error;
  });
  port.on("message", (call: Call) => {
    last = last.then(() => answer(call));
  });
}

/** Tells the main thread something between calls. */
export function notice(something: unknown): void {
  parentPort?.postMessage({ notice: something } satisfies Answer);
}
