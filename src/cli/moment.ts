import { formatDuration } from "./duration.ts";

/** `2026-07-31 10:30:45`, in UTC; what is no time comes back as it is. */
export function formatUtc(iso: string): string {
  const time = Date.parse(iso);
  return Number.isNaN(time) ? iso : new Date(time).toISOString().slice(0, 19).replace("T", " ");
}

/** "2 minutes ago", "in 28 minutes" or "just now". */
export function formatRelative(iso: string, now: number): string {
  const time = Date.parse(iso);
  if (Number.isNaN(time)) return "";
  if (Math.abs(time - now) < 1_000) return "just now";
  return time > now ? `in ${formatDuration(time - now)}` : `${formatDuration(now - time)} ago`;
}

/**
 * `2026-07-31 12:30:45 +02:00 (10:30:45 UTC), 2 minutes ago`; without the brackets where the local time is UTC.
 */
export function formatMoment(iso: string, now: number): string {
  const time = Date.parse(iso);
  if (Number.isNaN(time)) return iso;
  const utc = formatUtc(iso);
  const offsetMinutes = -new Date(time).getTimezoneOffset();
  if (offsetMinutes === 0) return `${utc} UTC, ${formatRelative(iso, now)}`;
  const local = formatUtc(new Date(time + offsetMinutes * 60_000).toISOString());
  const sameDay = local.slice(0, 10) === utc.slice(0, 10);
  return `${local} ${formatOffset(offsetMinutes)} (${sameDay ? utc.slice(11) : utc} UTC), ${formatRelative(iso, now)}`;
}

function formatOffset(minutes: number): string {
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  return `${minutes < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}:${String(rest).padStart(2, "0")}`;
}
