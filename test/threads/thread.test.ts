import { join } from "node:path";
import { buildSync } from "esbuild";
import { expect, onTestFinished, test } from "vitest";
import { UploaderError } from "../../src/core/errors.ts";
import { startThread, type Thread } from "../../src/threads/thread.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type FaultyCalls, unreadable } from "./faulty-thread.ts";

function start(): Thread<FaultyCalls> {
  const path = join(temporaryFolder(), "faulty-thread.js");
  const entryPoints = [join(import.meta.dirname, "faulty-thread.ts")];
  buildSync({ entryPoints, outfile: path, bundle: true, format: "esm", platform: "node" });
  const thread = startThread<FaultyCalls>(path, null);
  onTestFinished(() => thread.close());
  return thread;
}

const failed = (message: RegExp) => ({
  constructor: UploaderError,
  code: "THREAD_FAILED",
  message: expect.stringMatching(message),
  hint: expect.stringContaining("next cycle starts it again"),
});

test.each<[string, keyof FaultyCalls, never, RegExp]>([
  ["exits", "exit", 3 as never, /^The thread faulty-thread has ended: it exited with code 3\.$/],
  ["exits with 0", "exit", 0 as never, /it exited with code 0/],
  [
    "throws where nobody catches",
    "throwLater",
    "the cable is out" as never,
    /has ended: the cable is out\.$/,
  ],
  [
    "rejects where nobody catches",
    "rejectLater",
    "the cable is out" as never,
    /has ended: the cable is out\.$/,
  ],
  ["answers what cannot be read", "giveUnreadable", null as never, /has ended: .*nothing/],
])(
  "a thread that %s fails the calls in hand and all later ones, without a stack",
  async (_, name, argument, message) => {
    const thread = start();
    expect(await thread.call("echo", "before")).toBe("before");
    const calls = [thread.call(name, argument), thread.call("echo", "behind it")];
    for (const call of calls) await expect(call).rejects.toMatchObject(failed(message));
    expect(thread.hasEnded()).toBe(true);
    await expect(thread.call("echo", "later")).rejects.toMatchObject(failed(message));
  },
);

test("a call that the thread cannot read ends it, instead of waiting for ever", async () => {
  const thread = start();
  const argument = await unreadable();
  const call = thread.call("echo", argument as never, [argument as ArrayBuffer]);
  await expect(call).rejects.toMatchObject(failed(/has ended: .*nothing/));
  expect(thread.hasEnded()).toBe(true);
});

test("a call that cannot be sent fails alone", async () => {
  const thread = start();
  await expect(thread.call("echo", (() => {}) as never)).rejects.toMatchObject(
    failed(/^The thread faulty-thread cannot be given its work: .*could not be cloned\.$/),
  );
  expect(thread.hasEnded()).toBe(false);
  expect(await thread.call("echo", "afterwards")).toBe("afterwards");
});

test("an answer that cannot be sent fails its call alone", async () => {
  const thread = start();
  await expect(thread.call("giveFunction", undefined as never)).rejects.toThrow("could not be cloned");
  expect(await thread.call("echo", "afterwards")).toBe("afterwards");
});

test("calls in hand are answered before a thread is closed, and later ones refused", async () => {
  const thread = start();
  const call = thread.call("echo", "last");
  const closed = thread.close();
  const late = thread.call("echo", "late");
  expect(await call).toBe("last");
  await expect(late).rejects.toMatchObject({ code: "THREAD_FAILED" });
  await closed;
  await thread.close();
});
