import { expect, test } from "vitest";
import { createRandom } from "../support/seeded-random.ts";
import { type Pair, writerCost } from "./soak-cost.ts";

/** Windows of a machine whose p99 wanders from window to window, by up to `noise`, and grows by `factor` beside an uploader. */
function windows({ count, noise, factor }: { count: number; noise: number; factor: number }): Pair[] {
  const random = createRandom(7);
  return Array.from({ length: count }, () => {
    const weather = 1 + noise * random();
    const window = (scale: number) =>
      Array.from({ length: 600 }, () => scale * weather * -Math.log(1 - random()));
    return { alone: window(1), loaded: window(factor) };
  });
}

test("names the growth between the windows, whatever the machine does to both", () => {
  const { ratio, spread } = writerCost(windows({ count: 20, noise: 3, factor: 1.5 }), createRandom(1));
  expect(ratio).toBeCloseTo(1.5, 1);
  expect(spread[0]).toBeGreaterThan(1.2);
  expect(spread[1]).toBeLessThan(1.8);
});

test("sees none where there is none, and says how far the writer alone differs from itself", () => {
  const calm = writerCost(windows({ count: 20, noise: 0, factor: 1 }), createRandom(1));
  const restless = writerCost(windows({ count: 20, noise: 8, factor: 1 }), createRandom(1));
  expect(calm.ratio).toBeCloseTo(1, 1);
  expect(calm.noise[0]).toBeLessThan(1);
  expect(calm.noise[1]).toBeGreaterThan(1);
  expect(restless.noise[1]).toBeGreaterThan(calm.noise[1]);
});
