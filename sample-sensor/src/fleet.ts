import { createIdentity } from "./identity.ts";
import { createLocalHour, type LocalHour } from "./local-time.ts";
import { createRandom } from "./random.ts";
import { createSensor, type Reading, type Sensor } from "./sensor.ts";
import type { Settings } from "./settings-schema.ts";

/** The latest that a reading comes after its turn, as a part of the time between two rows. */
const JITTER_PART = 0.2;

/** Guards a whole number of rows against the rounding of binary fractions. */
const ROUNDING = 1e-6;

/** All sensors of an instance, which take turns. */
export interface Fleet {
  readonly sensors: readonly Sensor[];
  /** Readings taken so far. */
  readonly taken: number;
  /** How many readings should have been taken by a time, since the start. */
  dueBy(timeMs: number): number;
  /** The next readings in the order of their times, which never fall. */
  take(count: number): Reading[];
  /** Moves all readings still to come, for a clock that was set or a machine that slept. */
  shift(milliseconds: number): void;
}

export interface FleetParts {
  readonly settings: Settings;
  /** The same seed, instance and start give the same readings. */
  readonly seed: string;
  readonly instanceId: string;
  /** When the first reading is taken, in milliseconds since the epoch. */
  readonly startMs: number;
}

export function createFleet({ settings, seed, instanceId, startMs }: FleetParts): Fleet {
  const { sensors: count, readingsPerSecond } = settings.simulation;
  const stepMs = 1000 / readingsPerSecond;
  const localHours = new Map<string, LocalHour>();
  const jitter = createRandom(`${seed}/jitter`);
  let originMs = startMs;
  let taken = 0;

  const sensors = Array.from({ length: count }, (_, index) => {
    const identity = createIdentity(settings.identity, instanceId, index);
    const localHour = localHours.get(identity.timezone) ?? createLocalHour(identity.timezone);
    localHours.set(identity.timezone, localHour);
    const random = createRandom(`${seed}/sensor/${index}`);
    return createSensor({ settings, identity, periodMs: stepMs * count, localHour, random });
  });

  function takeOne(): Reading {
    const sensor = sensors[taken % count] as Sensor;
    const timeMs = Math.floor(originMs + (taken + JITTER_PART * jitter.uniform()) * stepMs);
    taken += 1;
    return sensor.read(timeMs);
  }

  return {
    sensors,
    get taken() {
      return taken;
    },
    dueBy: (timeMs) => Math.max(0, Math.floor((timeMs - originMs) / stepMs + ROUNDING)),
    take: (rows) => Array.from({ length: rows }, takeOne),
    shift(milliseconds) {
      originMs += milliseconds;
    },
  };
}
