import type { Settings } from "./config/settings.ts";
import type { ControlWriter } from "./control.ts";
import { UploaderError } from "./core/errors.ts";
import type { Revision } from "./core/types.ts";
import { type CycleOptions, runCycle, type SourceOutcome } from "./cycle.ts";
import { startDelivery } from "./deliver.ts";
import type { ExtractorOptions } from "./extract.ts";
import type { Logger } from "./observe/logger.ts";
import { countWaiting } from "./outbox/objects.ts";
import { readSource, readSources, type SourceState } from "./outbox/sources.ts";
import type { State } from "./outbox/state.ts";
import type { Ownership } from "./ownership.ts";
import type { Revisions } from "./revisions.ts";
import type { Sink } from "./sink/sink.ts";
import type { Connection } from "./sqlite/open.ts";
import type { UploaderOptions } from "./uploader.ts";
import { createCycleWait } from "./wait.ts";

/** With `--once`, how long a source is tried without success before it is left for the next run. */
const ONCE_GIVE_UP_MS = 60_000;

/** What the uploader has opened. */
export interface Parts {
  readonly state: State;
  readonly control: ControlWriter;
  readonly controlDb: Connection;
  readonly revisions: Revisions;
  readonly ownership: Ownership;
  readonly sink: Sink;
  readonly extractors: readonly ExtractorOptions[];
  /** About how many rows wait in the sources. */
  readonly estimateBacklog: () => number;
}

/**
 * Cycles until told to stop, or, with `once`, until all there is has been delivered; the delivery runs beside.
 *
 * @returns the exit code of the program
 */
export async function runLoop(options: UploaderOptions, parts: Parts): Promise<0 | 1> {
  const { settings, log, signal, progress } = options;
  const { state, control, revisions } = parts;
  const extractors = await claimSources(parts, log);
  let deliveries = 0;
  let announceDelivery = () => {};
  const delivery = startDelivery({
    ...options,
    ...parts,
    giveUpAfterMs: settings.once ? ONCE_GIVE_UP_MS : null,
    onDelivered: ({ bytes }) => {
      deliveries++;
      progress.delivered(bytes);
      announceDelivery();
    },
  });
  const cycle: CycleOptions = {
    ...options,
    state,
    extractors,
    delivery,
    targetObjectBytes: settings.targetObjectBytes,
    outboxShareBytes: settings.outboxMaxBytes / parts.extractors.length,
    shipOpenWindows: settings.once,
    onExtracted: (rows) => progress.extracted(rows),
  };
  const cycleWait = createCycleWait({ ...options, db: parts.controlDb, revisions });
  let revision = announceStart(options, parts);
  let outcomes: ReadonlyMap<string, SourceOutcome> = new Map();
  let isLost = false;

  while (!signal.aborted && !isLost) {
    const deliveriesBefore = deliveries;
    outcomes = await runCycle(cycle);
    control.recordExecutions();
    const isFull = [...outcomes.values()].includes("full");
    const hasRoomAgain = () => isFull && deliveries > deliveriesBefore;
    if (settings.once) {
      if (!isFull) break;
      const delivered = new Promise<void>((resolve) => {
        announceDelivery = resolve;
      });
      await Promise.race([delivered, delivery.settled()]);
      if (!hasRoomAgain()) break;
    } else {
      revision = announceChange(log, revision, revisions.read());
      await cycleWait.wait(revision, intervalMs(settings, revision), hasRoomAgain);
      isLost = readSources(state.db).every((source) => delivery.failure(source) !== undefined);
    }
  }

  if (settings.once && !signal.aborted) await delivery.settled();
  await delivery.stop();
  control.recordExecutions();
  progress.end();
  return summarize(options, parts, { outcomes, isLost });
}

/**
 * Makes sure of the ownership of each source before its first row is extracted, where the sink can be
 * reached; where it cannot, the outbox fills and the delivery makes sure of it later.
 *
 * @returns the extractors of the sources that may be shipped
 * @throws {UploaderError} OWNED_BY_ANOTHER where no source is left
 */
async function claimSources(parts: Parts, log: Logger): Promise<ExtractorOptions[]> {
  const claimed: ExtractorOptions[] = [];
  let refusal: UploaderError | undefined;
  for (const extractor of parts.extractors) {
    const { node, table } = extractor;
    try {
      await parts.ownership.ensure(readSource(parts.state.db, node, table) as SourceState);
      claimed.push(extractor);
    } catch (error) {
      if (!(error instanceof UploaderError)) throw error;
      if (error.code !== "OWNED_BY_ANOTHER") {
        claimed.push(extractor);
        continue;
      }
      refusal = error;
      if (parts.extractors.length > 1) log.error({ node, table, err: error }, "this source is not shipped");
    }
  }
  if (claimed.length === 0 && refusal) throw refusal;
  return claimed;
}

function intervalMs(settings: Settings, revision: Revision): number {
  const seconds =
    revision.type === "emergency" ? settings.emergencyIntervalSeconds : settings.intervalSeconds;
  return seconds * 1000;
}

function announceStart({ settings, log, progress }: UploaderOptions, parts: Parts): Revision {
  const revision = parts.revisions.read();
  const tables = parts.extractors.map(({ table }) => table);
  log.info(
    { node: settings.nodeId, pipelineType: revision.type, revision: revision.id, tables },
    settings.once ? "ships what there is, once" : `ships what is new every ${settings.intervalSeconds} s`,
  );
  progress.begin(parts.estimateBacklog());
  return revision;
}

function announceChange(log: Logger, before: Revision, now: Revision): Revision {
  if (now.id !== before.id || now.type !== before.type)
    log.info(
      { pipelineType: now.type, revision: now.id },
      `the pipeline type is now ${now.type}, set by ${now.updatedBy}${now.reason ? `: ${now.reason}` : ""}`,
    );
  return now;
}

function summarize(
  { settings, log, signal }: UploaderOptions,
  { state }: Parts,
  { outcomes, isLost }: { readonly outcomes: ReadonlyMap<string, SourceOutcome>; readonly isLost: boolean },
): 0 | 1 {
  const waiting = countWaiting(state.db);
  const hasFailed = [...outcomes.values()].some((outcome) => outcome === "failed" || outcome === "stopped");
  if (waiting.objects > 0) log.warn({ ...waiting }, "left in the outbox; the next start goes on with it");
  if (isLost) {
    log.error("every source is stopped; see the errors above");
    return 1;
  }
  log.info(signal.aborted ? "stopped" : "done");
  return settings.once && !signal.aborted && (hasFailed || waiting.objects > 0) ? 1 : 0;
}
