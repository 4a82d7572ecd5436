import * as z from "zod";
import { isTimeZone } from "./local-time.ts";

/** The section `identity`: what each sensor's fixed properties are drawn from. */
export const identitySchema = z
  .strictObject({
    instance_id: z.string().min(1).nullable().default(null),
    sensor_id_prefix: z.string().default("SENSOR_"),
    start_index: z.int().min(0).default(1),
    sensor_types: choices().default(["compressor", "pump", "turbine"]),
    models: choices().default(["EnvMonitor-3000", "EnvMonitor-4000", "EnvMonitor-5000"]),
    manufacturers: choices().default(["SensorTech", "EnvMonitors", "DataLogger", "IoTPro"]),
    firmware_versions: z
      .array(z.string().regex(/^\d+\.\d+\.\d+(-[\w.]+)?$/, "expected a semantic version such as 1.4.2"))
      .min(1)
      .default(["1.3.6", "1.4.0", "1.4.2", "1.5.1"]),
    deployment_types: choices().default(["indoor", "outdoor", "mobile"]),
    manufactured: z
      .strictObject({ from: z.iso.date(), to: z.iso.date() })
      .refine(({ from, to }) => from <= to, { error: "from must not be later than to" })
      .default({ from: "2022-01-01", to: "2024-06-30" }),
    installed_within_days: z.number().min(0).max(36_500).default(180),
    height_meters: z
      .strictObject({ min: z.number(), max: z.number() })
      .refine(({ min, max }) => min <= max, { error: "min must not be above max" })
      .default({ min: 1, max: 80 }),
    gps_variation_meters: z.number().min(0).max(100_000).default(500),
    locations: z
      .array(
        z.strictObject({
          name: z.string().min(1),
          latitude: z.number().min(-90).max(90),
          longitude: z.number().min(-180).max(180),
          timezone: z.string().refine(isTimeZone, { error: "not an IANA time zone such as Europe/Berlin" }),
        }),
      )
      .min(1)
      .default([
        { name: "Berlin", latitude: 52.52, longitude: 13.405, timezone: "Europe/Berlin" },
        { name: "Lisbon", latitude: 38.7223, longitude: -9.1393, timezone: "Europe/Lisbon" },
        { name: "Denver", latitude: 39.7392, longitude: -104.9903, timezone: "America/Denver" },
        { name: "Mumbai", latitude: 19.076, longitude: 72.8777, timezone: "Asia/Kolkata" },
        { name: "Sydney", latitude: -33.8688, longitude: 151.2093, timezone: "Australia/Sydney" },
      ]),
  })
  .transform((section) => ({
    instanceId: section.instance_id,
    sensorIdPrefix: section.sensor_id_prefix,
    startIndex: section.start_index,
    sensorTypes: section.sensor_types,
    models: section.models,
    manufacturers: section.manufacturers,
    firmwareVersions: section.firmware_versions,
    deploymentTypes: section.deployment_types,
    manufactured: section.manufactured,
    installedWithinDays: section.installed_within_days,
    heightMeters: section.height_meters,
    gpsVariationMeters: section.gps_variation_meters,
    locations: section.locations,
  }))
  .prefault({});

function choices() {
  return z.array(z.string().min(1)).min(1);
}
