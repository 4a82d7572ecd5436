import type { Settings } from "./config/settings.ts";
import type { Revision } from "./core/types.ts";
import type { SourceOutcome } from "./cycle.ts";
import type { Parts } from "./loop.ts";
import type { Logger } from "./observe/logger.ts";
import { markDrained } from "./outbox/drained.ts";
import { countWaiting } from "./outbox/objects.ts";
import { rememberRevision } from "./outbox/sources.ts";
import { type State, writeState } from "./outbox/state.ts";
import type { UploaderOptions } from "./uploader.ts";

/** How a cycle left each table. */
export type Outcomes = ReadonlyMap<string, SourceOutcome>;

export function announceStart({ settings, log, progress }: UploaderOptions, parts: Parts): Revision {
  const revision = parts.revisions.read();
  const tables = parts.extractors.map(({ table }) => table);
  log.info(
    { node: settings.nodeId, pipelineType: revision.type, revision: revision.id, tables },
    settings.once ? "ships what there is, once" : `ships what is new every ${settings.intervalSeconds} s`,
  );
  progress.begin([...parts.estimateBacklog().values()].reduce((sum, rows) => sum + rows, 0));
  return revision;
}

export function announceChange(
  { settings, log }: UploaderOptions,
  state: State,
  before: Revision,
  now: Revision,
): Revision {
  if (now.id === before.id && now.type === before.type) return before;
  try {
    writeState(state, () => rememberRevision(state, settings.nodeId, now));
  } catch (err) {
    log.debug({ err }, "the revision cannot be remembered at the moment; the next extraction does it");
  }
  log.info(
    { pipelineType: now.type, revision: now.id },
    `the pipeline type is now ${now.type}, set by ${now.updatedBy}${now.reason ? `: ${now.reason}` : ""}`,
  );
  return now;
}

/** Says once when the outbox takes no more of a source, and once when it does again. */
export function announceFull(log: Logger, { nodeId: node }: Settings, before: Outcomes, now: Outcomes): void {
  for (const [table, outcome] of now) {
    const wasFull = before.get(table) === "full";
    if (outcome === "full" && !wasFull)
      log.warn(
        { node, table },
        "the outbox is full (`outbox_max_mb`): new rows wait in the source until objects are delivered",
      );
    if (outcome !== "full" && wasFull) log.info({ node, table }, "the outbox has room again");
  }
}

export interface LoopEnd {
  readonly outcomes: Outcomes;
  /** Whether every source is stopped. */
  readonly isLost: boolean;
  /** Whether all there is should be delivered: `once`, or the machine ends. */
  readonly isLast: boolean;
}

export function summarize(
  { settings, clock, log, signal }: UploaderOptions,
  { state }: Parts,
  { outcomes, isLost, isLast }: LoopEnd,
): 0 | 1 {
  const waiting = countWaiting(state.db);
  const hasFailed = [...outcomes.values()].some((outcome) => outcome === "failed" || outcome === "stopped");
  if (waiting.objects > 0) log.warn({ ...waiting }, "left in the outbox; the next start goes on with it");
  if (isLost) {
    log.error("every source is stopped; see the errors above");
    return 1;
  }
  const isIncomplete = isLast && !signal.aborted && (hasFailed || waiting.objects > 0);
  if (isIncomplete) log.error("not all was shipped; see the errors above, and run it again");
  else if (isLast && !settings.once && !signal.aborted) {
    markDrained(state, clock.now());
    log.info("drained: all that was there is delivered");
  } else log.info(signal.aborted ? "stopped" : "done");
  return isIncomplete ? 1 : 0;
}

export function announceReplaced(log: Logger, { sourceFile }: Parts, { sqlitePath }: Settings): "replaced" {
  if (sourceFile.compare() === "mixed")
    log.error(
      `${sqlitePath} was replaced while its write-ahead log was left beside it, which damages the new database (https://sqlite.org/howtocorrupt.html): check it with PRAGMA integrity_check; rename ${sqlitePath}-wal and -shm with the database, and stop the uploader before`,
    );
  else
    log.warn(
      `${sqlitePath} is another file now: what was left in the old one is extracted, the new one is opened`,
    );
  return "replaced";
}
