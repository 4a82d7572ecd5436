import type { Arguments } from "./flags.ts";
import type { Settings } from "./settings-schema.ts";

/** Readings of the past that are written at once. */
export interface Backfill {
  readonly rows: number;
  /** Milliseconds since the epoch where the past ends; null means now. */
  readonly untilMs: number | null;
  /** Whether live readings follow. */
  readonly thenLive: boolean;
}

/** ISO 8601 with a zone, so that the same command means the same time everywhere; a date alone is UTC. */
const TIME_PATTERN = /^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$/;

/** What the flags about the past say; null without `--backfill`. Problems are added to the list. */
export function checkBackfill(
  { values, continue: thenLive }: Arguments,
  settings: Settings | null,
  problems: string[],
): Backfill | null {
  if (values.backfill === undefined) {
    if (values.until !== undefined) problems.push("--until: needs --backfill");
    if (thenLive) problems.push("--continue: needs --backfill");
    return null;
  }
  const rows = Number(values.backfill);
  if (!/^\d+$/.test(values.backfill) || rows < 1 || !Number.isSafeInteger(rows))
    problems.push(`--backfill: expected a whole number of at least 1, got "${values.backfill}"`);

  let untilMs: number | null = null;
  if (values.until !== undefined) {
    untilMs = TIME_PATTERN.test(values.until) ? Date.parse(values.until) : Number.NaN;
    if (Number.isNaN(untilMs))
      problems.push(`--until: expected a time such as 2025-06-01T00:00:00Z, got "${values.until}"`);
    if (thenLive) problems.push("--until: live readings follow on now, so it does not go with --continue");
  }
  if (!thenLive && values.duration !== undefined)
    problems.push("--duration: the number of rows ends a --backfill; it needs --continue");

  const spanMs = settings ? (rows / settings.simulation.readingsPerSecond) * 1000 : 0;
  if (spanMs > (untilMs ?? Date.now()))
    problems.push("--backfill: reaches back before the year 1970; write fewer rows or raise --rate");
  return { rows, untilMs, thenLive };
}
