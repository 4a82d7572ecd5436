const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Clocks change on a quarter of an hour everywhere, so an offset holds for one. */
const OFFSET_HOLDS_MS = 15 * MINUTE_MS;

/** Tells the hour of the day, 0 to 24 with fractions, of a time in milliseconds since the epoch. */
export type LocalHour = (timeMs: number) => number;

/** The local hour in an IANA time zone, summer time included. */
export function createLocalHour(timeZone: string): LocalHour {
  const format = new Intl.DateTimeFormat("en-US", { timeZone, timeZoneName: "longOffset" });
  let quarter = Number.NaN;
  let offsetMs = 0;
  return (timeMs) => {
    const now = Math.floor(timeMs / OFFSET_HOLDS_MS);
    if (now !== quarter) {
      quarter = now;
      offsetMs = readOffsetMs(format, timeMs);
    }
    return ((((timeMs + offsetMs) % DAY_MS) + DAY_MS) % DAY_MS) / HOUR_MS;
  };
}

export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: name });
    return true;
  } catch {
    return false;
  }
}

/** From `GMT`, `GMT+02:00` or `GMT-03:30`. */
function readOffsetMs(format: Intl.DateTimeFormat, timeMs: number): number {
  const name = format.formatToParts(timeMs).find((part) => part.type === "timeZoneName")?.value ?? "";
  const match = /GMT([+-])(\d+):(\d+)/.exec(name);
  if (!match) return 0;
  const minutes = Number(match[2]) * 60 + Number(match[3]);
  return (match[1] === "-" ? -minutes : minutes) * MINUTE_MS;
}
