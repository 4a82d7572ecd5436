import {
  announceChange,
  announceFull,
  announceReplaced,
  announceStart,
  type Outcomes,
  summarize,
} from "./announcements.ts";
import { claimSources } from "./claim-sources.ts";
import type { Settings } from "./config/settings.ts";
import type { ControlWriter } from "./control.ts";
import type { Revision } from "./core/types.ts";
import { type CycleOptions, runCycle, type SourceOutcome } from "./cycle.ts";
import { startDelivery } from "./deliver.ts";
import type { ExtractorOptions } from "./extract.ts";
import type { Logger } from "./observe/logger.ts";
import { noMonitor } from "./observe/monitor.ts";
import { readSource, type SourceState } from "./outbox/sources.ts";
import { describeStateError, type State } from "./outbox/state.ts";
import type { Ownership } from "./ownership.ts";
import type { Revisions } from "./revisions.ts";
import { createShipping } from "./shipping.ts";
import type { Sink } from "./sink/sink.ts";
import { noNotices } from "./spot/notices.ts";
import type { FileIdentity } from "./sqlite/file-identity.ts";
import type { ManagedThreads } from "./threads/extraction-threads.ts";
import type { UploaderOptions } from "./uploader.ts";
import { waitFor } from "./wait.ts";

/** With `--once`, how long a source is tried without success before it is left for the next run. */
const ONCE_GIVE_UP_MS = 60_000;

/** What the uploader has opened. */
export interface Parts {
  /** The source database's file. */
  readonly sourceFile: FileIdentity;
  readonly state: State;
  readonly control: ControlWriter;
  readonly revisions: Revisions;
  readonly ownership: Ownership;
  readonly sink: Sink;
  readonly extractors: readonly ExtractorOptions[];
  readonly threads: ManagedThreads | undefined;
  /** About how many rows wait in each source, by table; without tables that cannot be read at the moment. */
  readonly estimateBacklog: () => ReadonlyMap<string, number>;
}

/** All that a cycle needs but the word whether it is the last. */
type ReadyCycle = Omit<CycleOptions, "shipOpenWindows">;

/**
 * Cycles until told to stop, or, with `once` or before the machine ends, until all there is has been delivered; the
 * delivery runs beside.
 *
 * @returns the exit code of the program, or `replaced` where the source database is no longer the file that is open
 */
export async function runLoop(options: UploaderOptions, parts: Parts): Promise<0 | 1 | "replaced"> {
  const { settings, log, signal, progress, monitor = noMonitor, notices = noNotices } = options;
  const { state, control, revisions } = parts;
  const extractors = await claimSources(parts, log);
  let revision = announceStart(options, parts);
  let deliveries = 0;
  let announceDelivery = () => {};
  const delivery = startDelivery({
    ...options,
    ...parts,
    giveUpAfterMs: settings.once ? ONCE_GIVE_UP_MS : null,
    onDelivered: (object) => {
      deliveries++;
      progress.delivered(object.bytes);
      monitor.delivered(object);
      announceDelivery();
    },
    onFailed: monitor.deliveryFailed,
  });
  const cycle: ReadyCycle = {
    ...options,
    state,
    extractors,
    delivery,
    targetObjectBytes: settings.targetObjectBytes,
    outboxShareBytes: settings.outboxMaxBytes / parts.extractors.length,
    onExtracted: (extracted) => {
      progress.extracted(extracted.rows);
      monitor.extracted(extracted);
    },
  };
  let outcomes: Outcomes = new Map();
  const isStopped = ({ node, table }: ExtractorOptions) =>
    delivery.failure(readSource(state.db, node, table) as SourceState) !== undefined;
  const isLost = () => !settings.once && extractors.every(isStopped);
  const aborted = untilAborted(signal);
  let isReplaced = false;
  const tables = new Set(extractors.map(({ table }) => table));
  monitor.started(createShipping(parts, tables, delivery, settings.nodeId));
  let isLast = settings.once;

  try {
    while (!signal.aborted && !isLost()) {
      isLast = settings.once || notices.isEnding();
      const noticesBefore = notices.count();
      const deliveriesBefore = deliveries;
      const outcomesBefore = outcomes;
      const file = settings.once ? "same" : parts.sourceFile.compare();
      isReplaced = file === "mixed";
      if (isReplaced) break;
      outcomes = await runCycle(file === "other" ? lastCycle(cycle) : { ...cycle, shipOpenWindows: isLast });
      monitor.cycleFinished(tablesThat("failed", outcomes));
      announceFull(log, settings, outcomesBefore, outcomes);
      await parts.threads?.rest();
      control.recordExecutions();
      isReplaced = file === "other" && [...outcomes.values()].every(isFinished);
      if (isReplaced) break;
      const isFull = [...outcomes.values()].includes("full");
      const hasRoomAgain = () => isFull && deliveries > deliveriesBefore;
      if (isLast) {
        if (!isFull) break;
        const delivered = new Promise<void>((resolve) => {
          announceDelivery = resolve;
        });
        await Promise.race([delivered, delivery.settled(), aborted]);
        if (!hasRoomAgain()) break;
      } else {
        revision = announceChange(options, state, revision, revisions.latest());
        const isOver = () =>
          hasRoomAgain() ||
          isLost() ||
          notices.count() > noticesBefore ||
          revisions.hasChanged(revision) ||
          hasEmergency(parts, revision, log);
        await Promise.race([waitFor(intervalMs(settings, revision), isOver, options), delivery.broken]);
        if (notices.count() > noticesBefore) delivery.retryNow();
      }
    }

    if (isLast) await Promise.race([delivery.settled(), aborted]);
    if (!isReplaced || signal.aborted) monitor.stopping();
    await delivery.stop();
    control.recordExecutions();
    progress.end();
    if (isReplaced && !signal.aborted) return announceReplaced(log, parts, settings);
    return summarize(options, parts, { outcomes, isLost: isLost(), isLast });
  } catch (error) {
    await delivery.stop().catch(() => {});
    throw describeStateError(error, state.files.database);
  } finally {
    monitor.ended();
  }
}

/** Of a file that was replaced: what is left in it is shipped before it is closed, by who has it open. */
function lastCycle(cycle: ReadyCycle): CycleOptions {
  const extractors = cycle.extractors.map((extractor) => ({ ...extractor, threads: undefined }));
  return { ...cycle, extractors, shipOpenWindows: true };
}

function tablesThat(outcome: SourceOutcome, outcomes: Outcomes): string[] {
  return [...outcomes].flatMap(([table, found]) => (found === outcome ? [table] : []));
}

/** Whether a row has come that does not wait for the interval to end. */
function hasEmergency({ extractors, state }: Parts, revision: Revision, log: Logger): boolean {
  if (revision.type !== "emergency") return false;
  try {
    return extractors.some(({ reader, node, table }) =>
      reader.hasEmergency((readSource(state.db, node, table) as SourceState).cursor),
    );
  } catch (err) {
    log.debug({ err }, "the source cannot be read at the moment; the next cycle says what is the matter");
    return false;
  }
}

/** Whether the source has nothing left that a later cycle could ship. */
function isFinished(outcome: SourceOutcome): boolean {
  return outcome === "idle" || outcome === "stopped";
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}

function intervalMs(settings: Settings, revision: Revision): number {
  const seconds =
    revision.type === "emergency" ? settings.emergencyIntervalSeconds : settings.intervalSeconds;
  return seconds * 1000;
}
