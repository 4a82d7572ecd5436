import { describe, expect, test } from "vitest";
import { createFleet } from "../../sample-sensor/src/fleet.ts";
import { QUANTITIES } from "../../sample-sensor/src/settings-schema.ts";
import { givenFleet, givenSettings, START_MS } from "./given-settings.ts";

describe("readings", () => {
  test("of the same seed and start are the same, of another seed are not", () => {
    const settings = givenSettings();
    const rows = givenFleet(settings, "a").take(5000);
    expect(givenFleet(settings, "a").take(5000)).toEqual(rows);
    expect(givenFleet(settings, "b").take(5000)).not.toEqual(rows);
  });

  test("of a sensor do not depend on how many are taken at once", () => {
    const [whole, parts] = [givenFleet(givenSettings()), givenFleet(givenSettings())];
    expect([parts.take(1), parts.take(998), parts.take(1)].flat()).toEqual(whole.take(1000));
  });

  test("take turns between the sensors, at the rate, each a little after its turn", () => {
    const settings = givenSettings({ simulation: { sensors: 4, readings_per_second: 8 } });
    const offsets = new Set<number>();
    for (const [index, reading] of givenFleet(settings).take(4000).entries()) {
      expect(reading.identity.sensorId).toBe(`SENSOR_00${(index % 4) + 1}`);
      offsets.add(reading.timeMs - START_MS - index * 125);
    }
    expect(Math.min(...offsets)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...offsets)).toBeLessThanOrEqual(25);
    expect(offsets.size).toBeGreaterThan(10);
  });

  test.each([3, 7, 1000, 0.1])("at %d a second fall due after each step and never late", (rate) => {
    const fleet = givenFleet(givenSettings({ simulation: { readings_per_second: rate } }));
    for (const rows of [1, 2, 333, 10_000]) {
      const dueMs = START_MS + (rows / rate) * 1000;
      expect(fleet.dueBy(dueMs)).toBe(rows);
      expect(fleet.dueBy(dueMs - 0.4 * (1000 / rate))).toBe(rows - 1);
    }
    expect(fleet.dueBy(START_MS - 1e6)).toBe(0);
  });

  test("of a healthy sensor have the mean and deviation that are set", () => {
    const settings = givenSettings({ anomalies: { enabled: false }, daily_cycle: { enabled: false } });
    const readings = givenFleet(settings).take(40_000);
    for (const quantity of QUANTITIES) {
      const { mean, standardDeviation } = settings.quantities[quantity];
      const scores = readings.map(({ values }) => ((values[quantity] as number) - mean) / standardDeviation);
      const average = scores.reduce((sum, score) => sum + score, 0) / scores.length;
      const variance = scores.reduce((sum, score) => sum + (score - average) ** 2, 0) / scores.length;
      expect(average).toBeCloseTo(0, 1);
      expect(Math.sqrt(variance)).toBeCloseTo(1, 1);
    }
  });

  test("never leave the limits", () => {
    const settings = givenSettings({
      quantities: { temperature: { mean: 50, std_dev: 10, min: 45, max: 52 } },
      anomalies: { probability: 0.5 },
    });
    const values = givenFleet(settings)
      .take(20_000)
      .flatMap(({ values }) => values.temperature ?? []);
    expect(Math.min(...values)).toBe(45);
    expect(Math.max(...values)).toBe(52);
  });

  test("follow the local hour of each sensor, summer time included", () => {
    const settings = givenSettings({
      simulation: { sensors: 10, readings_per_second: 0.1 },
      anomalies: { enabled: false },
    });
    const [startMs, summerMs] = [Date.parse("2025-03-29T00:00:00Z"), Date.parse("2025-03-30T01:00:00Z")];
    const fleet = createFleet({ settings, seed: "seed", instanceId: "instance", startMs });
    const sums = new Map<string, { sum: number; count: number }>();
    for (const { timeMs, identity, values } of fleet.take(7 * 8640)) {
      if (timeMs < summerMs) continue;
      const key = `${identity.timezone} ${localHour(timeMs, identity.timezone)}`;
      const { sum, count } = sums.get(key) ?? { sum: 0, count: 0 };
      sums.set(key, { sum: sum + (values.temperature as number), count: count + 1 });
    }
    const average = (key: string): number => {
      const { sum, count } = sums.get(key) ?? { sum: 0, count: 0 };
      return sum / count;
    };
    const zones = [...new Set(fleet.sensors.map(({ identity }) => identity.timezone))];
    expect(zones).toContain("Europe/Berlin");
    expect(zones.length).toBeGreaterThan(1);
    for (const zone of zones) {
      expect(Math.abs(average(`${zone} 14`) - 65)).toBeLessThan(0.5);
      expect(Math.abs(average(`${zone} 2`) - 55)).toBeLessThan(0.5);
      // An hour off would part these by 1.3.
      expect(Math.abs(average(`${zone} 8`) - average(`${zone} 21`))).toBeLessThan(0.5);
    }
  });
});

describe("identities", () => {
  const identities = (yaml: object = {}, seed?: string) =>
    givenFleet(givenSettings({ simulation: { sensors: 200 }, ...yaml }), seed).sensors.map(
      (it) => it.identity,
    );

  test("stay when the program starts again, whatever the seed of the readings", () => {
    expect(identities({}, "other")).toEqual(identities());
  });

  test("have what the settings offer, all of it", () => {
    const { identity: offered } = givenSettings();
    const all = identities();
    const distinct = (select: (each: (typeof all)[number]) => string) => [...new Set(all.map(select))].sort();
    expect(distinct((it) => it.model)).toEqual([...offered.models].sort());
    expect(distinct((it) => it.manufacturer)).toEqual([...offered.manufacturers].sort());
    expect(distinct((it) => it.firmwareVersion)).toEqual([...offered.firmwareVersions].sort());
    expect(distinct((it) => it.deploymentType)).toEqual([...offered.deploymentTypes].sort());
    expect(distinct((it) => it.sensorType)).toEqual([...offered.sensorTypes].sort());
    expect(distinct((it) => it.location)).toEqual(offered.locations.map(({ name }) => name).sort());
    expect(distinct((it) => it.sensorId)).toHaveLength(200);
    expect(distinct((it) => it.serialNumber)).toHaveLength(200);
  });

  test("stand near their place and were installed after they were made", () => {
    const { locations } = givenSettings().identity;
    const north = new Set<number>();
    for (const it of identities({ identity: { gps_variation_meters: 500 } })) {
      const place = locations.find(({ name }) => name === it.location) as (typeof locations)[number];
      const northMeters = (it.latitude - place.latitude) * 111_320;
      const eastMeters =
        (it.longitude - place.longitude) * 111_320 * Math.cos((place.latitude * Math.PI) / 180);
      expect(Math.hypot(northMeters, eastMeters)).toBeLessThan(501);
      north.add(Math.round(northMeters));
      expect(it.timezone).toBe(place.timezone);
      expect(it.manufactureDate >= "2022-01-01" && it.manufactureDate <= "2024-06-30").toBe(true);
      expect(it.installationDate >= it.manufactureDate).toBe(true);
      expect(it.heightMeters >= 1 && it.heightMeters <= 80).toBe(true);
      expect(it.orientationDegrees >= 0 && it.orientationDegrees < 360).toBe(true);
    }
    expect(north.size).toBeGreaterThan(100);
  });
});

const formats = new Map<string, Intl.DateTimeFormat>();

function localHour(timeMs: number, timeZone: string): number {
  const options = { timeZone, hour: "2-digit", hourCycle: "h23" } as const;
  const format = formats.get(timeZone) ?? new Intl.DateTimeFormat("en-GB", options);
  formats.set(timeZone, format);
  return Number(format.format(timeMs));
}
