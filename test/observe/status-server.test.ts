import { expect, onTestFinished, test } from "vitest";
import type { Judgement } from "../../src/observe/health.ts";
import { serveStatus } from "../../src/observe/status-server.ts";
import { freePort, takePort } from "../support/free-port.ts";

const WELL: Judgement = { status: "ok", aliveAt: "2026-01-01T00:00:00.000Z", reasons: [] };
const ILL: Judgement = { ...WELL, status: "stalled", reasons: ["no cycle"] };

async function served(judgement: Judgement, text: () => Promise<string> = async () => "up 1\n") {
  const port = await freePort();
  const server = await serveStatus({
    address: { host: "127.0.0.1", port },
    judge: () => judgement,
    metrics: { contentType: "text/plain; version=0.0.4", text },
  });
  onTestFinished(() => server.close());
  return (path: string, method = "GET") => fetch(`http://127.0.0.1:${port}${path}`, { method });
}

test.each([
  { judgement: WELL, status: 200 },
  { judgement: ILL, status: 503 },
])("/healthz answers $status when it is $judgement.status, and says why", async ({ judgement, status }) => {
  const ask = await served(judgement);
  const answer = await ask("/healthz");
  expect(answer.status).toBe(status);
  expect(answer.headers.get("content-type")).toBe("application/json");
  expect(await answer.json()).toEqual(judgement);
  const head = await ask("/healthz?from=probe", "HEAD");
  expect({ status: head.status, body: await head.text() }).toEqual({ status, body: "" });
});

test("/metrics answers in the format that the registry names", async () => {
  const ask = await served(WELL);
  const answer = await ask("/metrics");
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4");
  expect(await answer.text()).toBe("up 1\n");
});

test("metrics that cannot be collected are a 500, and the next answer is given all the same", async () => {
  const ask = await served(WELL, () => Promise.reject(new Error("no")));
  const answer = await ask("/metrics");
  expect({ status: answer.status, body: await answer.text() }).toEqual({ status: 500, body: "" });
  expect((await ask("/healthz")).status).toBe(200);
});

test("nothing else is answered", async () => {
  const ask = await served(WELL);
  expect((await ask("/")).status).toBe(404);
  expect((await ask("/healthz/x")).status).toBe(404);
  expect((await ask("/healthz", "POST")).status).toBe(405);
});

test("a port that is taken is an error with a hint", async () => {
  const taken = await takePort();
  onTestFinished(() => taken.close());
  await expect(
    serveStatus({
      address: { host: "127.0.0.1", port: taken.port },
      judge: () => WELL,
      metrics: { contentType: "text/plain", text: async () => "" },
    }),
  ).rejects.toMatchObject({
    code: "CONFIG_INVALID",
    message: `status_address: cannot listen on 127.0.0.1:${taken.port} (EADDRINUSE).`,
    hint: expect.stringContaining("STATUS_ADDRESS"),
  });
});
