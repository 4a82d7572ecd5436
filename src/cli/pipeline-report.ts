import { formatDuration } from "./duration.ts";
import { formatMoment, formatRelative, formatUtc } from "./moment.ts";
import type {
  ChangeDocument,
  CurrentDocument,
  HistoryDocument,
  StatsDocument,
} from "./pipeline-documents.ts";
import { formatBytes, formatCount, formatFields, formatTable, oneLine } from "./text-table.ts";

export function reportCurrent(current: CurrentDocument, now: number): string {
  const fields: [string, string][] = [
    ["Type", current.type],
    ["Updated", current.updatedAt === null ? "never" : formatMoment(current.updatedAt, now)],
    ["Updated by", current.updatedBy],
    ["Reason", current.reason ?? "-"],
  ];
  if (current.expiresAt !== null)
    fields.push(["Expires", `${formatMoment(current.expiresAt, now)}, then ${current.afterExpiry}`]);
  fields.push(["Revision", String(current.id)], ["Database", current.database]);
  return [formatFields(fields), ...(current.warning === null ? [] : ["", oneLine(current.warning)])].join(
    "\n",
  );
}

export function reportChange(change: ChangeDocument, now: number): string {
  const lines = [`The pipeline type is now ${change.type}; it was ${change.previousType}.`];
  if (change.expiresAt !== null)
    lines.push(`It ends at ${formatMoment(change.expiresAt, now)}; then comes ${change.afterExpiry}.`);
  lines.push(
    `Recorded as revision ${change.id} by ${change.updatedBy}${change.reason === null ? "." : `: ${change.reason}`}`,
    `An uploader that runs on ${change.database} follows within a second.`,
  );
  return lines.map(oneLine).join("\n");
}

export function reportHistory(history: HistoryDocument, now: number): string {
  if (history.revisions.length === 0)
    return `Nobody has set a pipeline type in ${history.database} yet; raw is in effect.`;
  return formatTable(
    [
      { heading: "ID", align: "right" },
      { heading: "TYPE" },
      { heading: "UPDATED (UTC)" },
      { heading: "" },
      { heading: "BY" },
      { heading: "STATE" },
      { heading: "EXPIRES (UTC)" },
      { heading: "REASON" },
    ],
    history.revisions.map((revision) => [
      String(revision.id),
      revision.type,
      formatUtc(revision.updatedAt),
      formatRelative(revision.updatedAt, now),
      revision.updatedBy,
      revision.state,
      revision.expiresAt === null ? "-" : formatUtc(revision.expiresAt),
      revision.reason ?? "-",
    ]),
  );
}

export function reportStats(stats: StatsDocument, now: number): string {
  const parts = [reportFigures(stats, now)];
  const { waitingRecords, waitingBytes, pending, failed } = stats.total;
  if (pending + failed > 0)
    parts.push(`Waiting: ${formatCount(waitingRecords)} records, ${formatBytes(waitingBytes)}.`);
  if (stats.lastError !== null) {
    const { startedAt, objectKey, error } = stats.lastError;
    parts.push(oneLine(`Last error, ${formatRelative(startedAt, now)}: ${error} (${objectKey})`));
  }
  if (stats.hints.length > 0)
    parts.push(stats.hints.map(({ code, message }) => `${code}: ${message}`).join("\n"));
  return parts.join("\n\n");
}

function reportFigures({ database, since, types, total }: StatsDocument, now: number): string {
  const period = since === null ? "in the last 30 days" : `since ${formatUtc(since)} UTC`;
  if (types.length === 0) return `No object is recorded in ${database} ${period}.`;
  const rows = types.map((figures) => figureCells(figures.pipelineType, figures, now));
  const table = formatTable(STATS_COLUMNS, [...rows, figureCells("total", total, now)]);
  return `Objects extracted ${period}\n\n${table}`;
}

const STATS_COLUMNS = [
  { heading: "TYPE" },
  { heading: "OBJECTS", align: "right" },
  { heading: "DELIVERED", align: "right" },
  { heading: "PENDING", align: "right" },
  { heading: "FAILED", align: "right" },
  { heading: "RECORDS", align: "right" },
  { heading: "SIZE", align: "right" },
  { heading: "LATENCY", align: "right" },
  { heading: "FIRST DELIVERED (UTC)" },
  { heading: "LAST DELIVERED (UTC)" },
] as const;

function figureCells(name: string, figures: StatsDocument["total"], now: number): string[] {
  const { averageLatencySeconds: latency, firstCompletedAt, lastCompletedAt } = figures;
  return [
    name,
    formatCount(figures.objects),
    formatCount(figures.delivered),
    formatCount(figures.pending),
    formatCount(figures.failed),
    formatCount(figures.records),
    formatBytes(figures.bytes),
    latency === null ? "-" : latency < 10 ? `${latency.toFixed(1)} s` : formatDuration(latency * 1_000),
    firstCompletedAt === null ? "-" : formatUtc(firstCompletedAt),
    lastCompletedAt === null ? "-" : `${formatUtc(lastCompletedAt)}, ${formatRelative(lastCompletedAt, now)}`,
  ];
}
