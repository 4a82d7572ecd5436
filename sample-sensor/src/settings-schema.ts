import * as z from "zod";
import { identitySchema } from "./identity-schema.ts";

export const QUANTITIES = ["temperature", "humidity", "pressure", "vibration", "voltage"] as const;
export type Quantity = (typeof QUANTITIES)[number];

export const ANOMALY_TYPES = ["spike", "trend", "pattern", "missing_data", "noise"] as const;
export type AnomalyType = (typeof ANOMALY_TYPES)[number];

/** What the YAML file may say, with defaults; sensor-config.yaml explains each key. */
export const settingsSchema = z
  .strictObject({
    database: z
      .strictObject({
        path: z.string().min(1).default("data/sensor_data.db"),
        commit_interval_seconds: z.number().positive().max(86_400).default(1),
        checkpoint_interval_seconds: z.number().positive().max(86_400).default(60),
        retention_hours: z.number().positive().nullable().default(null),
      })
      .transform((section) => ({
        path: section.path,
        commitIntervalSeconds: section.commit_interval_seconds,
        checkpointIntervalSeconds: section.checkpoint_interval_seconds,
        retentionHours: section.retention_hours,
      }))
      .prefault({}),
    simulation: z
      .strictObject({
        sensors: z.int().min(1).max(100_000).default(20),
        readings_per_second: z.number().positive().max(1_000_000).default(20),
        run_time_seconds: z.number().positive().nullable().default(null),
        seed: z.int().nullable().default(null),
      })
      .transform((section) => ({
        sensors: section.sensors,
        readingsPerSecond: section.readings_per_second,
        runTimeSeconds: section.run_time_seconds,
        seed: section.seed,
      }))
      .prefault({}),
    quantities: z
      .strictObject({
        temperature: quantity({ mean: 60, std_dev: 2, min: 0, max: 120, daily_amplitude: 5 }),
        humidity: quantity({ mean: 45, std_dev: 3, min: 0, max: 100, daily_amplitude: -8 }),
        pressure: quantity({ mean: 12, std_dev: 0.5, min: 0, max: 25, daily_amplitude: 0.3 }),
        vibration: quantity({ mean: 1.5, std_dev: 0.3, min: 0, max: 20, daily_amplitude: 0.2 }),
        voltage: quantity({ mean: 12, std_dev: 0.1, min: 0, max: 24, daily_amplitude: 0 }),
      })
      .prefault({}),
    daily_cycle: z
      .strictObject({
        enabled: z.boolean().default(true),
        peak_hour: z.number().min(0).lt(24).default(15),
      })
      .transform((section) => ({ enabled: section.enabled, peakHour: section.peak_hour }))
      .prefault({}),
    anomalies: z
      .strictObject({
        enabled: z.boolean().default(true),
        probability: z.number().min(0).max(1).default(0.05),
        types: z
          .strictObject({
            spike: anomaly({ weight: 0.3, duration_seconds: 60 }),
            trend: anomaly({ weight: 0.2, duration_seconds: 300 }),
            pattern: anomaly({ weight: 0.2, duration_seconds: 600 }),
            missing_data: anomaly({ weight: 0.15, duration_seconds: 30 }),
            noise: anomaly({ weight: 0.15, duration_seconds: 120 }),
          })
          .refine((types) => Object.values(types).some(({ weight }) => weight > 0), {
            error:
              "at least one type needs a weight above 0; to have no anomalies, set anomalies.enabled to false",
          })
          .prefault({}),
        firmware_effect: z
          .record(
            z.string().regex(/^\d+\.\d+$/, 'expected "major.minor" in quotes, such as "1.4"'),
            z.number().min(0),
          )
          .default({ "1.4": 1.5, "1.5": 0.7 }),
      })
      .transform((section) => ({
        enabled: section.enabled,
        probability: section.probability,
        types: section.types,
        firmwareEffect: section.firmware_effect,
      }))
      .prefault({}),
    identity: identitySchema,
  })
  .transform(({ daily_cycle, ...sections }) => ({ ...sections, dailyCycle: daily_cycle }));

export type Settings = z.output<typeof settingsSchema>;

function quantity(defaults: {
  mean: number;
  std_dev: number;
  min: number;
  max: number;
  daily_amplitude: number;
}) {
  return z
    .strictObject({
      mean: z.number().default(defaults.mean),
      std_dev: z.number().min(0).default(defaults.std_dev),
      min: z.number().default(defaults.min),
      max: z.number().default(defaults.max),
      daily_amplitude: z.number().default(defaults.daily_amplitude),
    })
    .refine(({ min, mean, max }) => min <= mean && mean <= max, {
      error: "mean must lie between min and max",
    })
    .transform((section) => ({
      mean: section.mean,
      standardDeviation: section.std_dev,
      min: section.min,
      max: section.max,
      dailyAmplitude: section.daily_amplitude,
    }))
    .prefault({});
}

function anomaly(defaults: { weight: number; duration_seconds: number }) {
  return z
    .strictObject({
      weight: z.number().min(0).default(defaults.weight),
      duration_seconds: z.number().positive().default(defaults.duration_seconds),
    })
    .transform((section) => ({ weight: section.weight, durationSeconds: section.duration_seconds }))
    .prefault({});
}
