import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { stringify } from "yaml";
import { createFleet, type Fleet } from "../../sample-sensor/src/fleet.ts";
import type { Reading } from "../../sample-sensor/src/sensor.ts";
import {
  ANOMALY_TYPES,
  type AnomalyType,
  type Settings,
  settingsSchema,
} from "../../sample-sensor/src/settings-schema.ts";

export const START_MS = Date.parse("2025-03-01T00:00:00Z");

/** Settings as the YAML file would give them. */
export function givenSettings(yaml: object = {}): Settings {
  return settingsSchema.parse(yaml);
}

/** One steady sensor, one reading a second, one type of anomaly. */
export function onlyAnomaly(type: AnomalyType, durationSeconds: number, probability = 0.1): Settings {
  const types = ANOMALY_TYPES.map((each) => [
    each,
    { weight: each === type ? 1 : 0, duration_seconds: durationSeconds },
  ]);
  return givenSettings({
    simulation: { sensors: 1, readings_per_second: 1 },
    quantities: { temperature: { std_dev: 0 }, pressure: { std_dev: 0 } },
    daily_cycle: { enabled: false },
    anomalies: { probability, types: Object.fromEntries(types), firmware_effect: {} },
  });
}

export function givenFleet(settings: Settings, seed = "seed"): Fleet {
  return createFleet({ settings, seed, instanceId: "instance", startMs: START_MS });
}

/** The anomalies of one sensor that began and ended within its readings. */
export function wholeAnomalies(readings: readonly Reading[]): Reading[][] {
  const runs: Reading[][] = [];
  let previous: AnomalyType | null = null;
  for (const reading of readings) {
    if (reading.anomalyType !== null) {
      if (reading.anomalyType !== previous) runs.push([]);
      runs.at(-1)?.push(reading);
    }
    previous = reading.anomalyType;
  }
  return runs.filter((run) => run[0] !== readings[0] && run.at(-1) !== readings.at(-1));
}

export function givenFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "sensor-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export function givenFile(folder: string, content: object | string): string {
  const file = join(folder, "sensor.yaml");
  writeFileSync(file, typeof content === "string" ? content : stringify(content));
  return file;
}
