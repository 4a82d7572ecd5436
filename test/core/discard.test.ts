import { expect, test } from "vitest";
import { discard } from "../../src/core/discard.ts";

const LARGE = 64 * 1024 * 1024;

test("buffers are freed at once, and what views them is empty", () => {
  const view = new Float64Array(LARGE / 8).fill(1);
  const other = Buffer.from(new ArrayBuffer(8));
  const before = process.memoryUsage().arrayBuffers;
  discard([view.buffer, other.buffer as ArrayBuffer]);
  expect(before - process.memoryUsage().arrayBuffers).toBeGreaterThan(0.9 * LARGE);
  expect([view.length, other.length]).toEqual([0, 0]);
});
