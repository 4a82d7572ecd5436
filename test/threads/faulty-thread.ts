import { open } from "node:fs/promises";
import { parentPort } from "node:worker_threads";
import { answerCalls } from "../../src/threads/answer-calls.ts";

/** A thread that does what it is asked to, most of which breaks it. */
const CALLS = {
  echo: (text: string) => text,
  /** As a defect, or a library, might. */
  exit: (code: number) => process.exit(code),
  throwLater: (message: string) =>
    new Promise<never>(() => {
      setImmediate(() => {
        throw new Error(message);
      });
    }),
  rejectLater: (message: string) =>
    new Promise<never>(() => {
      setImmediate(() => void Promise.reject(new Error(message)));
    }),
  giveFunction: () => () => {},
  /** Answers with what cannot be put together again on the other side, and then to the next call. */
  async giveUnreadable(): Promise<never> {
    const file = await unreadable();
    parentPort?.postMessage(file, [file as never]);
    parentPort?.postMessage({ result: "behind it" });
    return new Promise<never>(() => {});
  },
};

export type FaultyCalls = typeof CALLS;

/** Something that can be sent and not received: a file handle that names a module of Node.js that there is none of. */
export async function unreadable(): Promise<object> {
  const file = await open(process.execPath);
  const symbols = Object.getOwnPropertySymbols(Object.getPrototypeOf(file));
  const transfer = symbols.find(({ description }) => description === "messaging_transfer_symbol");
  if (!transfer) throw new Error("Node.js names it otherwise");
  return Object.assign(file, { [transfer]: () => ({ data: {}, deserializeInfo: "nothing:Nothing" }) });
}

if (parentPort) answerCalls(CALLS);
