import { expect, test } from "vitest";
import { UploaderError } from "../../src/core/errors.ts";
import { createHealth, type Health, mostSilentMs } from "../../src/observe/health.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { objectOf, shippingOf } from "./shipping.ts";

const UNREACHABLE = {
  code: "SINK_UNAVAILABLE",
  message: "The sink does not answer.",
  hint: "It is tried again.",
} as const;

test.each([
  { intervalSeconds: 1, silentMs: 60_000 },
  { intervalSeconds: 30, silentMs: 90_000 },
])("with an interval of $intervalSeconds s it is well for $silentMs ms without a sign of life", (given) => {
  const clock = createManualClock(0);
  const health = createHealth({ ...given, clock });
  expect(mostSilentMs(given.intervalSeconds)).toBe(given.silentMs);
  clock.advance(given.silentMs);
  expect(health.judge()).toEqual({ status: "ok", aliveAt: "1970-01-01T00:00:00.000Z", reasons: [] });
  clock.advance(1);
  expect(health.judge()).toEqual({
    status: "stalled",
    aliveAt: "1970-01-01T00:00:00.000Z",
    reasons: [`no cycle, extraction or delivery has ended for ${given.silentMs / 1000} s`],
  });
});

const SIGNS: readonly { sign: string; give: (health: Health) => void; isOne: boolean }[] = [
  { sign: "a cycle", give: (health) => health.cycleFinished(["readings"]), isOne: true },
  {
    sign: "an extraction",
    give: (health) => health.extracted({ table: "readings", pipelineType: "raw", rows: 1 }),
    isOne: true,
  },
  { sign: "a delivery", give: (health) => health.delivered(objectOf()), isOne: true },
  {
    sign: "a failed delivery",
    give: (health) => health.deliveryFailed(objectOf(), new UploaderError(UNREACHABLE)),
    isOne: false,
  },
];

test.each(SIGNS)("$sign is a sign of life: $isOne", ({ give, isOne }) => {
  const clock = createManualClock(0);
  const health = createHealth({ intervalSeconds: 1, clock });
  clock.advance(60_001);
  expect(health.judge().status).toBe("stalled");
  give(health);
  expect(health.judge().status).toBe(isOne ? "ok" : "stalled");
});

test("it is ill when every source is stopped, not when one is", () => {
  const clock = createManualClock(0);
  const health = createHealth({ intervalSeconds: 1, clock });
  const stopped = new Map([
    ["readings", true],
    ["events", false],
  ]);
  health.started(shippingOf({ stopped: () => stopped }));
  expect(health.judge().status).toBe("ok");
  stopped.set("events", true);
  expect(health.judge()).toMatchObject({
    status: "stopped",
    reasons: ["every source is stopped; the log says why"],
  });
  health.ended();
  expect(health.judge().status).toBe("ok");
});
