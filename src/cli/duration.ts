import { UploaderError } from "../core/errors.ts";

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400 };

/** Times beyond the year 9999 cannot be compared as text. */
const LONGEST_DAYS = 3_650;

/**
 * Seconds from "90s", "30m", "2h" or "7d".
 *
 * @throws {UploaderError} USAGE
 */
export function parseDuration(text: string, option: string): number {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*([smhd])$/i.exec(text.trim()) ?? [];
  const seconds = Number(amount) * (SECONDS[unit.toLowerCase()] ?? Number.NaN);
  if (seconds >= 1 && seconds <= LONGEST_DAYS * 86_400) return seconds;
  throw new UploaderError({
    code: "USAGE",
    message: Number.isNaN(seconds)
      ? `${option} ${JSON.stringify(text)} is not a duration.`
      : `${option} ${text} is out of bounds: from one second to ${LONGEST_DAYS} days.`,
    hint: `Give a number and a unit, for example ${option} 30m (s, m, h or d).`,
  });
}

/** "45 seconds", "2 minutes", "3 hours", "5 days": in the largest unit that there are two of, rounded. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1_000));
  for (const [unit, length] of [
    ["day", 86_400],
    ["hour", 3_600],
    ["minute", 60],
  ] as const)
    if (seconds >= 2 * length) return `${Math.round(seconds / length)} ${unit}s`;
  return seconds === 60 ? "1 minute" : `${seconds} second${seconds === 1 ? "" : "s"}`;
}
