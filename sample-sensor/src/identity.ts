import { between, createRandom, pick } from "./random.ts";
import type { Settings } from "./settings-schema.ts";

/** What is fixed for the life of a sensor. */
export interface Identity {
  readonly sensorId: string;
  readonly firmwareVersion: string;
  readonly model: string;
  readonly manufacturer: string;
  readonly location: string;
  /** Degrees, WGS 84. */
  readonly latitude: number;
  readonly longitude: number;
  /** IANA name. */
  readonly timezone: string;
  readonly serialNumber: string;
  /** `YYYY-MM-DD` */
  readonly manufactureDate: string;
  readonly deploymentType: string;
  /** `YYYY-MM-DD`, not before the manufacture. */
  readonly installationDate: string;
  /** Above the ground. */
  readonly heightMeters: number;
  /** Clockwise from north. */
  readonly orientationDegrees: number;
  readonly instanceId: string;
  readonly sensorType: string;
}

const METERS_PER_DEGREE = 111_320;
const DAY_MS = 86_400_000;

/**
 * The identity of one sensor of an instance. It follows from the settings, the instance's name and the
 * sensor's index alone, so a sensor is the same one after each restart.
 */
export function createIdentity(settings: Settings["identity"], instanceId: string, index: number): Identity {
  const random = createRandom(`identity/${instanceId}/${index}`);
  const place = pick(random, settings.locations);
  const [north, east] = scatter(random.uniform(), random.uniform(), settings.gpsVariationMeters);
  const metersPerDegreeEast = METERS_PER_DEGREE * Math.max(0.01, Math.cos((place.latitude * Math.PI) / 180));
  const { from, to } = settings.manufactured;
  const manufacturedMs = between(random, Date.parse(from), Date.parse(to) + DAY_MS);
  const installedMs = manufacturedMs + random.uniform() * settings.installedWithinDays * DAY_MS;
  const serial = Math.floor(random.uniform() * 36 ** 6).toString(36);
  return {
    sensorId: `${settings.sensorIdPrefix}${String(settings.startIndex + index).padStart(3, "0")}`,
    firmwareVersion: pick(random, settings.firmwareVersions),
    model: pick(random, settings.models),
    manufacturer: pick(random, settings.manufacturers),
    location: place.name,
    latitude: round(clamp(place.latitude + north / METERS_PER_DEGREE, -90, 90), 6),
    longitude: round(clamp(place.longitude + east / metersPerDegreeEast, -180, 180), 6),
    timezone: place.timezone,
    serialNumber: `SN-${serial.toUpperCase().padStart(6, "0")}`,
    manufactureDate: isoDate(manufacturedMs),
    deploymentType: pick(random, settings.deploymentTypes),
    installationDate: isoDate(installedMs),
    heightMeters: round(between(random, settings.heightMeters.min, settings.heightMeters.max), 1),
    orientationDegrees: round(between(random, 0, 360), 1) % 360,
    instanceId,
    sensorType: pick(random, settings.sensorTypes),
  };
}

/** A point within a circle, as metres north and east. */
function scatter(angle: number, distance: number, radiusMeters: number): [north: number, east: number] {
  const reach = radiusMeters * Math.sqrt(distance);
  return [reach * Math.cos(2 * Math.PI * angle), reach * Math.sin(2 * Math.PI * angle)];
}

function isoDate(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}

function round(value: number, decimals: number): number {
  return Math.round(value * 10 ** decimals) / 10 ** decimals;
}

function clamp(value: number, least: number, most: number): number {
  return Math.min(most, Math.max(least, value));
}
