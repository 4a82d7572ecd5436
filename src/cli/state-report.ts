import { readDrained } from "../outbox/drained.ts";
import { countWaiting } from "../outbox/objects.ts";
import { readSources } from "../outbox/sources.ts";
import { openStateForReading, stateFiles } from "../outbox/state.ts";
import { formatBytes, formatCount, formatFields } from "./text-table.ts";

/** What `uploader state show --json` prints. Rowids are strings, since JSON numbers need not hold 64 bits. */
export interface StateDocument {
  readonly stateDir: string;
  /** null where there is no state yet. */
  readonly stateId: string | null;
  /** When the last run was drained, before the end of its machine; null where it ended in another way. */
  readonly drainedAt: string | null;
  readonly sources: readonly SourceDocument[];
}

interface Amount {
  readonly objects: number;
  readonly rows: number;
  readonly bytes: number;
}

interface SourceDocument {
  readonly node: string;
  readonly table: string;
  readonly generation: number;
  readonly cursor: string | null;
  /** The number of the last extraction in this generation; 0 before the first. */
  readonly sequence: number;
  readonly epoch: number;
  readonly pipelineType: string | null;
  readonly revision: number | null;
  readonly holdSince: string | null;
  readonly place: string;
  readonly buckets: Readonly<Record<string, string>>;
  readonly waiting: Amount;
  readonly delivered: Amount;
}

/** Reads the state; an uploader may be running. */
export function stateDocument(stateDir: string): StateDocument {
  const db = openStateForReading(stateFiles(stateDir));
  if (db === null) return { stateDir, stateId: null, drainedAt: null, sources: [] };
  try {
    const stateId = db.prepare("SELECT state_id FROM identity").pluck().get() as string;
    const sources = readSources(db).map((source) => ({
      node: source.node,
      table: source.table,
      generation: source.generation,
      cursor: source.cursor === null ? null : String(source.cursor),
      sequence: source.nextSequence - 1,
      epoch: source.epoch,
      pipelineType: source.revision?.type ?? null,
      revision: source.revision?.id ?? null,
      holdSince: source.hold ? new Date(source.hold.since).toISOString() : null,
      place: source.destination.place,
      buckets: source.destination.buckets,
      waiting: countWaiting(db, source.id),
      delivered: source.delivered,
    }));
    return { stateDir, stateId, drainedAt: readDrained(db), sources };
  } finally {
    db.close();
  }
}

export function reportState({ stateDir, stateId, drainedAt, sources }: StateDocument): string {
  if (stateId === null) return `There is no state in ${stateDir} yet; the first run of uploader makes it.`;
  const head = formatFields([
    ["State", stateId],
    ["Folder", stateDir],
    ...(drainedAt === null ? [] : [["Drained", drainedAt] as const]),
  ]);
  return [head, ...sources.map(reportSource)].join("\n\n");
}

function reportSource(source: SourceDocument): string {
  const { pipelineType, revision } = source;
  return formatFields([
    ["Table", `${source.table} of node ${source.node}`],
    ["Cursor", source.cursor === null ? "none: nothing extracted yet" : `row ${source.cursor}`],
    ["Generation", `${source.generation}, last sequence ${source.sequence}`],
    ["Pipeline type", pipelineType === null ? "not known yet" : `${pipelineType} (revision ${revision})`],
    ["Delivered", describeAmount(source.delivered)],
    ["In the outbox", describeAmount(source.waiting)],
    ["Destination", `${source.place}: ${Object.values(source.buckets).join(", ")}`],
    ["Ownership", source.epoch === 0 ? "not claimed yet" : `epoch ${source.epoch}`],
  ]);
}

function describeAmount({ objects, rows, bytes }: Amount): string {
  const counted = (count: number, noun: string) => `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
  return `${counted(objects, "object")}, ${counted(rows, "row")}, ${formatBytes(bytes)}`;
}
