import { describe, expect, test } from "vitest";
import { STATUS_CODES } from "../../sample-sensor/src/sensor.ts";
import { ANOMALY_TYPES, QUANTITIES, type Settings } from "../../sample-sensor/src/settings-schema.ts";
import { givenFleet, givenSettings, onlyAnomaly, wholeAnomalies } from "./given-settings.ts";

const ROWS = 60_000;

function anomaliesOf(settings: Settings) {
  const runs = wholeAnomalies(givenFleet(settings).take(ROWS));
  expect(runs.length).toBeGreaterThan(5);
  return runs;
}

/** How far the temperature, which is steady here, is off its mean, as a part of the mean. */
function deviations(run: ReturnType<typeof anomaliesOf>[number], settings: Settings): number[] {
  return run.map(({ values }) => (values.temperature as number) / settings.quantities.temperature.mean - 1);
}

describe("an anomaly", () => {
  test.each(ANOMALY_TYPES)("of type %s lasts its duration for its sensor", (type) => {
    const seconds = anomaliesOf(onlyAnomaly(type, 90)).map((run) => run.length);
    for (const length of seconds) expect([89, 90, 91]).toContain(length);
  });

  test("spike is 2 to 3 deviations off the mean, up or down, in every quantity", () => {
    const settings = givenSettings({
      ...{ simulation: { sensors: 1, readings_per_second: 1 }, daily_cycle: { enabled: false } },
      anomalies: {
        probability: 0.2,
        types: Object.fromEntries(ANOMALY_TYPES.map((type) => [type, { weight: type === "spike" ? 1 : 0 }])),
      },
    });
    const flagged = anomaliesOf(settings).flat();
    for (const quantity of QUANTITIES) {
      const { mean, standardDeviation } = settings.quantities[quantity];
      const off = flagged.map(({ values }) => ((values[quantity] as number) - mean) / standardDeviation);
      expect(Math.min(...off.map(Math.abs))).toBeGreaterThan(1.98);
      expect(Math.max(...off.map(Math.abs))).toBeLessThan(3.02);
      expect(new Set(off.map(Math.sign))).toEqual(new Set([1, -1]));
    }
  });

  test("trend drifts away steadily, up to 50 %", () => {
    const settings = onlyAnomaly("trend", 300);
    for (const run of anomaliesOf(settings)) {
      const off = deviations(run, settings).map(Math.abs);
      expect(off[0]).toBeLessThan(0.005);
      expect(off.at(-1)).toBeGreaterThan(0.49);
      expect(off.at(-1)).toBeLessThanOrEqual(0.5);
      for (const [index, value] of off.entries()) expect(value).toBeGreaterThanOrEqual(off[index - 1] ?? 0);
    }
  });

  test("pattern is a sine of 20 %", () => {
    const settings = onlyAnomaly("pattern", 600);
    for (const run of anomaliesOf(settings)) {
      const off = deviations(run, settings);
      expect(Math.max(...off)).toBeCloseTo(0.2, 2);
      expect(Math.min(...off)).toBeCloseTo(-0.2, 2);
      expect(mean(off)).toBeCloseTo(0, 2);
      const downward = off.filter((value, index) => value < 0 && (off[index - 1] ?? 0) >= 0).length;
      expect(downward).toBe(5);
    }
  });

  test("noise has a deviation of 10 %", () => {
    const settings = onlyAnomaly("noise", 120);
    const off = anomaliesOf(settings).flatMap((run) => deviations(run, settings));
    expect(mean(off)).toBeCloseTo(0, 1);
    expect(Math.sqrt(mean(off.map((value) => value ** 2)))).toBeCloseTo(0.1, 2);
  });

  test("missing_data reads nothing, and nulls are always flagged", () => {
    const readings = givenFleet(onlyAnomaly("missing_data", 30)).take(ROWS);
    const flagged = readings.filter(({ anomalyType }) => anomalyType === "missing_data");
    expect(flagged.length).toBeGreaterThan(1000);
    const nulls = (values: object) => Object.values(values).filter((value) => value === null).length;
    expect(flagged.filter(({ values }) => nulls(values) < QUANTITIES.length)).toEqual([]);
    expect(readings.filter((it) => it.anomalyType === null && nulls(it.values) > 0)).toEqual([]);
  });

  test("sets the status code of its type", () => {
    for (const reading of givenFleet(givenSettings({ anomalies: { probability: 0.5 } })).take(10_000))
      expect(reading.statusCode).toBe(STATUS_CODES[reading.anomalyType ?? "none"]);
  });
});

describe("the share of anomalous readings", () => {
  const short = (weight: number) => ({ weight, duration_seconds: 10 });

  function shares(readingsPerSecond: number, anomalies: object = {}) {
    const settings = givenSettings({
      simulation: { sensors: 10, readings_per_second: readingsPerSecond },
      anomalies: {
        probability: 0.1,
        types: {
          ...{ spike: short(0.5), trend: short(0.2), pattern: short(0.1) },
          ...{ missing_data: short(0.1), noise: short(0.1) },
        },
        firmware_effect: { "1.4": 1.5, "1.5": 0.5 },
        ...anomalies,
      },
      identity: { firmware_versions: ["1.3.0", "1.4.7", "1.5.0"] },
    });
    const readings = givenFleet(settings).take(120_000);
    return (matches: (reading: (typeof readings)[number]) => boolean, among = readings) =>
      among.filter(matches).length / among.length;
  }

  test.each([0.5, 1, 10, 50])(
    "is the probability times the firmware's effect at %d readings a second",
    (rate) => {
      const share = shares(rate);
      for (const [firmware, expected] of [
        ["1.3.0", 0.1],
        ["1.4.7", 0.15],
        ["1.5.0", 0.05],
      ] as const) {
        const sensors = share(({ identity }) => identity.firmwareVersion === firmware);
        const both = share((it) => it.anomalyType !== null && it.identity.firmwareVersion === firmware);
        expect(sensors).toBeGreaterThan(0);
        expect(both / sensors).toBeGreaterThan(expected * 0.85);
        expect(both / sensors).toBeLessThan(expected * 1.15);
      }
    },
  );

  test("is divided between the types by their weights", () => {
    const share = shares(10);
    const all = share(({ anomalyType }) => anomalyType !== null);
    expect(share(({ anomalyType }) => anomalyType === "spike") / all).toBeCloseTo(0.5, 1);
    expect(share(({ anomalyType }) => anomalyType === "trend") / all).toBeCloseTo(0.2, 1);
    expect(share(({ anomalyType }) => anomalyType === "noise") / all).toBeCloseTo(0.1, 1);
  });

  test.each([
    [{ enabled: false }, 0],
    [{ probability: 0 }, 0],
    [{ probability: 1, firmware_effect: {} }, 1],
  ])("with %j is %d", (anomalies, expected) => {
    expect(shares(10, anomalies)(({ anomalyType }) => anomalyType !== null)).toBe(expected);
  });
});

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
