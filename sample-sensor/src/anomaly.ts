import { between, pickWeighted, type Random } from "./random.ts";
import { ANOMALY_TYPES, type AnomalyType, type Settings } from "./settings-schema.ts";

/** An anomaly strikes every quantity of one sensor, from its begin up to, not including, its end. */
export interface Anomaly {
  readonly type: AnomalyType;
  readonly beginMs: number;
  readonly endMs: number;
  /** Whether spike and trend lead up or down. */
  readonly direction: 1 | -1;
}

/** Tells the anomaly that a sensor is in at a time, or null. Times are asked for in rising order. */
export type AnomalyCourse = (timeMs: number) => Anomaly | null;

/**
 * When a sensor has anomalies, and which.
 *
 * `share` (0 to 1) is the part of the readings that are anomalous in the long run, whatever the rate and the
 * durations: an anomaly begins at some moment since the last reading, and healthy stretches are
 * geometrically distributed. The first reading is as likely as any other to lie within an anomaly, so short
 * runs do not all begin in health.
 */
export function createAnomalyCourse(
  types: Settings["anomalies"]["types"],
  share: number,
  periodMs: number,
  random: Random,
): AnomalyCourse {
  const weight = (type: AnomalyType): number => types[type].weight;
  const durationMs = (type: AnomalyType): number => types[type].durationSeconds * 1000;
  const total = ANOMALY_TYPES.reduce((sum, type) => sum + weight(type), 0);
  const meanDurationMs =
    ANOMALY_TYPES.reduce((sum, type) => sum + weight(type) * durationMs(type), 0) / total;
  const healthyMs = (meanDurationMs * (1 - share)) / share;
  const chanceOfBegin = periodMs / (periodMs + healthyMs);

  function begin(type: AnomalyType, beginMs: number): Anomaly {
    return {
      type,
      beginMs,
      endMs: beginMs + durationMs(type),
      direction: random.uniform() < 0.5 ? 1 : -1,
    };
  }

  let current: Anomaly | null = null;
  let isFirst = true;
  return (timeMs) => {
    if (share <= 0) return null;
    if (isFirst) {
      isFirst = false;
      if (random.uniform() < share) {
        const type = pickWeighted(random, ANOMALY_TYPES, (each) => weight(each) * durationMs(each));
        current = begin(type, timeMs - random.uniform() * durationMs(type));
      }
    }
    if (current && !holds(current, timeMs)) current = null;
    if (!current && random.uniform() < chanceOfBegin) {
      const begun = begin(pickWeighted(random, ANOMALY_TYPES, weight), timeMs - random.uniform() * periodMs);
      if (holds(begun, timeMs)) current = begun;
    }
    return current;
  };
}

function holds({ beginMs, endMs }: Anomaly, timeMs: number): boolean {
  return timeMs >= beginMs && timeMs < endMs;
}

/** A quantity of one reading, before the anomaly. */
export interface Undisturbed {
  /** The mean of the quantity at this time of day. */
  readonly expected: number;
  /** The value that a healthy sensor would read. */
  readonly value: number;
  readonly standardDeviation: number;
}

/** How far an anomaly goes: spike in deviations, the others as parts of the expected value. */
export const SPIKE_DEVIATIONS = [2, 3] as const;
export const TREND_PART = 0.5;
export const PATTERN_PART = 0.2;
export const PATTERN_WAVES = 5;
export const NOISE_PART = 0.1;

/** What a quantity reads during an anomaly; null where nothing is read. */
export function disturb(
  anomaly: Anomaly,
  timeMs: number,
  quantity: Undisturbed,
  random: Random,
): number | null {
  const { expected, value, standardDeviation } = quantity;
  const size = Math.abs(expected);
  const progress = (timeMs - anomaly.beginMs) / (anomaly.endMs - anomaly.beginMs);
  switch (anomaly.type) {
    case "spike":
      return expected + anomaly.direction * between(random, ...SPIKE_DEVIATIONS) * standardDeviation;
    case "trend":
      return value + anomaly.direction * TREND_PART * progress * size;
    case "pattern":
      return value + PATTERN_PART * size * Math.sin(2 * Math.PI * PATTERN_WAVES * progress);
    case "missing_data":
      return null;
    case "noise":
      return value + NOISE_PART * size * random.normal();
  }
}
