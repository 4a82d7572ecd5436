import fc from "fast-check";
import { expect, it } from "vitest";
import { UploaderError } from "../../src/core/errors.ts";
import { isRetryable, nextDelayMs, retryKind } from "../../src/sink/retry.ts";

it("waits longer after each failure, and never more than five minutes", () => {
  expect([1, 2, 3, 4].map((attempt) => nextDelayMs(attempt, () => 0))).toEqual([1000, 2000, 4000, 8000]);
  expect(nextDelayMs(1, () => 0.5)).toBe(750);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1_000_000 }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, random) => {
        const delay = nextDelayMs(attempt, () => random);
        expect(delay).toBeGreaterThanOrEqual(500);
        expect(delay).toBeLessThanOrEqual(300_000);
      },
    ),
  );
});

it("tries again what can mend itself or be mended from outside", () => {
  const kinds = Object.fromEntries(
    (
      [
        "SINK_UNAVAILABLE",
        "SINK_THROTTLED",
        "SINK_CREDENTIALS",
        "SINK_DENIED",
        "SINK_BUCKET_MISSING",
        "SINK_CONFLICT",
        "SINK_REJECTED",
        "OUTBOX_DAMAGED",
        "OWNED_BY_ANOTHER",
      ] as const
    ).map((code) => [code, retryKind(new UploaderError({ code, message: code }))]),
  );
  expect(kinds).toEqual({
    SINK_UNAVAILABLE: "transient",
    SINK_THROTTLED: "throttled",
    SINK_CREDENTIALS: "credential",
    SINK_DENIED: "credential",
    SINK_BUCKET_MISSING: "permanent",
    SINK_CONFLICT: "permanent",
    SINK_REJECTED: "permanent",
    OUTBOX_DAMAGED: "permanent",
    OWNED_BY_ANOTHER: "permanent",
  });
});

it("does not try again what is a defect", () => {
  expect(isRetryable(new TypeError("x is not a function"))).toBe(false);
  expect(isRetryable(new UploaderError({ code: "SINK_UNAVAILABLE", message: "down" }))).toBe(true);
});
