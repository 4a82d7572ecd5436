import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { mostSilentMs, serveHealth } from "../../src/observe/health.ts";
import { appendReadings, openReadings } from "../support/readings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { runProgram, startProgram } from "../support/uploader-process.ts";

async function listen() {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return { port, close: () => new Promise<unknown>((resolve) => server.close(resolve)) };
}

async function freePort(): Promise<number> {
  const taken = await listen();
  await taken.close();
  return taken.port;
}

async function served(intervalSeconds: number) {
  const port = await freePort();
  const clock = { time: 0, now: () => clock.time };
  const health = await serveHealth({ address: { host: "127.0.0.1", port }, intervalSeconds, clock });
  onTestFinished(() => health.close());
  const ask = (path = "/healthz", method = "GET") => fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { clock, health, ask };
}

test.each([
  { intervalSeconds: 1, silent: 60_000 },
  { intervalSeconds: 30, silent: 90_000 },
])(
  "with an interval of $intervalSeconds s it is well for $silent ms without a sign of life",
  async (given) => {
    const { clock, health, ask } = await served(given.intervalSeconds);
    expect(mostSilentMs(given.intervalSeconds)).toBe(given.silent);
    clock.time = given.silent;
    expect((await ask()).status).toBe(200);
    clock.time++;
    const answer = await ask();
    expect(answer.status).toBe(503);
    expect(await answer.json()).toEqual({ status: "stalled", aliveAt: new Date(0).toISOString() });
    health.alive();
    expect(await (await ask()).json()).toEqual({ status: "ok", aliveAt: new Date(clock.time).toISOString() });
  },
);

test("nothing else is answered", async () => {
  const { ask } = await served(1);
  expect((await ask("/")).status).toBe(404);
  expect((await ask("/healthz", "POST")).status).toBe(405);
});

test("a running uploader answers, cycle by cycle, and SIGTERM ends it all the same", async () => {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  appendReadings(openReadings(database), 10);
  const port = await freePort();
  const flags = ["--sqlite", database, "--directory", join(folder, "lake"), "--interval", "0.1"];
  const env = { STATE_DIR: "state", STATUS_ADDRESS: String(port) };
  const uploader = startProgram("uploader", flags, { cwd: folder, env });
  const aliveAt = async (): Promise<number | null> => {
    const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null);
    return answer?.status === 200 ? Date.parse(((await answer.json()) as { aliveAt: string }).aliveAt) : null;
  };
  const first = await until("it answers", aliveAt);
  await until("a later cycle has ended", async () => ((await aliveAt()) ?? 0) > first);
  uploader.process.kill("SIGTERM");
  expect(await uploader.finished).toMatchObject({ code: 0 });
});

test("an address that is taken, or is none, is an error that says so, and nothing is shipped", async () => {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  appendReadings(openReadings(database), 10);
  const taken = await listen();
  onTestFinished(() => void taken.close());
  const run = (address: string) =>
    runProgram("uploader", ["--sqlite", database, "--directory", join(folder, "lake"), "--once"], {
      cwd: folder,
      env: { STATE_DIR: "state", STATUS_ADDRESS: address },
    });
  expect(await run(`127.0.0.1:${taken.port}`)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\).*\n.*STATUS_ADDRESS/),
  });
  expect(existsSync(join(folder, "lake"))).toBe(false);
  expect(await run("somewhere")).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/status_address: must be host:port.*STATUS_ADDRESS/),
  });
});
