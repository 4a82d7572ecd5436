import { type Anomaly, createAnomalyCourse, disturb } from "./anomaly.ts";
import type { Identity } from "./identity.ts";
import type { LocalHour } from "./local-time.ts";
import type { Random } from "./random.ts";
import { type AnomalyType, QUANTITIES, type Quantity, type Settings } from "./settings-schema.ts";

/** One row of the table, before it has an id. */
export interface Reading {
  /** Whole milliseconds since the epoch. */
  readonly timeMs: number;
  readonly identity: Identity;
  /** Null where nothing was read. Units: °C, %, bar, mm/s, V. */
  readonly values: Readonly<Record<Quantity, number | null>>;
  readonly statusCode: number;
  readonly anomalyType: AnomalyType | null;
}

/** What a sensor reports of itself: 0 well, 1 unsteady, 2 off its course, 3 nothing read. */
export const STATUS_CODES: Readonly<Record<AnomalyType | "none", number>> = {
  none: 0,
  noise: 1,
  pattern: 1,
  spike: 2,
  trend: 2,
  missing_data: 3,
};

export interface Sensor {
  readonly identity: Identity;
  /** The reading at a time. Times are asked for in rising order, `periodMs` apart on average. */
  read(timeMs: number): Reading;
}

export interface SensorParts {
  readonly settings: Settings;
  readonly identity: Identity;
  /** Milliseconds between two readings of this sensor. */
  readonly periodMs: number;
  readonly localHour: LocalHour;
  readonly random: Random;
}

/** A sensor whose readings follow from its settings, its random stream and the times alone. */
export function createSensor({ settings, identity, periodMs, localHour, random }: SensorParts): Sensor {
  const { quantities, dailyCycle, anomalies } = settings;
  const anomalyAt = createAnomalyCourse(
    anomalies.types,
    anomalyShare(anomalies, identity.firmwareVersion),
    periodMs,
    random,
  );

  function measure(quantity: Quantity, timeMs: number, wave: number, anomaly: Anomaly | null): number | null {
    const { mean, standardDeviation, min, max, dailyAmplitude } = quantities[quantity];
    const expected = mean + dailyAmplitude * wave;
    const value = expected + standardDeviation * random.normal();
    const read = anomaly ? disturb(anomaly, timeMs, { expected, value, standardDeviation }, random) : value;
    return read === null ? null : Math.round(Math.min(max, Math.max(min, read)) * 1000) / 1000;
  }

  return {
    identity,
    read(timeMs) {
      const wave = dailyCycle.enabled
        ? Math.cos((2 * Math.PI * (localHour(timeMs) - dailyCycle.peakHour)) / 24)
        : 0;
      const anomaly = anomalyAt(timeMs);
      const values = {} as Record<Quantity, number | null>;
      for (const quantity of QUANTITIES) values[quantity] = measure(quantity, timeMs, wave, anomaly);
      return {
        timeMs,
        identity,
        values,
        statusCode: STATUS_CODES[anomaly?.type ?? "none"],
        anomalyType: anomaly?.type ?? null,
      };
    },
  };
}

/** The part of the readings that are anomalous, 0 to 1, with the effect of the firmware's `major.minor`. */
export function anomalyShare(anomalies: Settings["anomalies"], firmwareVersion: string): number {
  if (!anomalies.enabled) return 0;
  const [major, minor] = firmwareVersion.split(".");
  return Math.min(1, anomalies.probability * (anomalies.firmwareEffect[`${major}.${minor}`] ?? 1));
}
