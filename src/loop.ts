import type { Settings } from "./config/settings.ts";
import type { ControlWriter } from "./control.ts";
import { UploaderError } from "./core/errors.ts";
import type { Revision } from "./core/types.ts";
import { type CycleOptions, runCycle, type SourceOutcome } from "./cycle.ts";
import { startDelivery } from "./deliver.ts";
import type { ExtractorOptions } from "./extract.ts";
import type { Logger } from "./observe/logger.ts";
import { countWaiting } from "./outbox/objects.ts";
import { readSource, rememberRevision, type SourceState } from "./outbox/sources.ts";
import { describeStateError, type State, writeState } from "./outbox/state.ts";
import type { Ownership } from "./ownership.ts";
import type { Revisions } from "./revisions.ts";
import type { Sink } from "./sink/sink.ts";
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
  /** About how many rows wait in the sources. */
  readonly estimateBacklog: () => number;
}

/**
 * Cycles until told to stop, or, with `once`, until all there is has been delivered; the delivery runs beside.
 *
 * @returns the exit code of the program, or `replaced` where the source database is no longer the file that is open
 */
export async function runLoop(options: UploaderOptions, parts: Parts): Promise<0 | 1 | "replaced"> {
  const { settings, log, signal, progress } = options;
  const { state, control, revisions } = parts;
  const extractors = await claimSources(parts, log);
  let revision = announceStart(options, parts);
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
    onExtracted: (rows) => {
      progress.extracted(rows);
      options.onAlive?.();
    },
  };
  let outcomes: Outcomes = new Map();
  const isStopped = ({ node, table }: ExtractorOptions) =>
    delivery.failure(readSource(state.db, node, table) as SourceState) !== undefined;
  const isLost = () => !settings.once && extractors.every(isStopped);
  const aborted = untilAborted(signal);
  let isReplaced = false;

  try {
    while (!signal.aborted && !isLost()) {
      const deliveriesBefore = deliveries;
      const outcomesBefore = outcomes;
      const file = settings.once ? "same" : parts.sourceFile.compare();
      isReplaced = file === "mixed";
      if (isReplaced) break;
      outcomes = await runCycle(file === "other" ? lastCycle(cycle) : cycle);
      options.onAlive?.();
      announceFull(log, settings, outcomesBefore, outcomes);
      await parts.threads?.rest();
      control.recordExecutions();
      isReplaced = file === "other" && [...outcomes.values()].every(isFinished);
      if (isReplaced) break;
      const isFull = [...outcomes.values()].includes("full");
      const hasRoomAgain = () => isFull && deliveries > deliveriesBefore;
      if (settings.once) {
        if (!isFull) break;
        const delivered = new Promise<void>((resolve) => {
          announceDelivery = resolve;
        });
        await Promise.race([delivered, delivery.settled(), aborted]);
        if (!hasRoomAgain()) break;
      } else {
        revision = announceChange(options, state, revision, revisions.latest());
        const isOver = () =>
          hasRoomAgain() || isLost() || revisions.hasChanged(revision) || hasEmergency(parts, revision, log);
        await Promise.race([waitFor(intervalMs(settings, revision), isOver, options), delivery.broken]);
      }
    }

    if (settings.once) await Promise.race([delivery.settled(), aborted]);
    await delivery.stop();
    control.recordExecutions();
    progress.end();
    if (isReplaced && !signal.aborted) return announceReplaced(log, parts, settings);
    return summarize(options, parts, { outcomes, isLost: isLost() });
  } catch (error) {
    await delivery.stop().catch(() => {});
    throw describeStateError(error, state.files.database);
  }
}

/** Of a file that was replaced: what is left in it is shipped before it is closed, by who has it open. */
function lastCycle(cycle: CycleOptions): CycleOptions {
  const extractors = cycle.extractors.map((extractor) => ({ ...extractor, threads: undefined }));
  return { ...cycle, extractors, shipOpenWindows: true };
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

type Outcomes = ReadonlyMap<string, SourceOutcome>;

/** Whether the source has nothing left that a later cycle could ship. */
function isFinished(outcome: SourceOutcome): boolean {
  return outcome === "idle" || outcome === "stopped";
}

function announceReplaced(log: Logger, { sourceFile }: Parts, { sqlitePath }: Settings): "replaced" {
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

function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
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
      const described = describeStateError(error, parts.state.files.database);
      if (!(described instanceof UploaderError)) throw described;
      if (described.code !== "OWNED_BY_ANOTHER") {
        claimed.push(extractor);
        continue;
      }
      refusal = described;
      if (parts.extractors.length > 1)
        log.error({ node, table, err: described }, "this source is not shipped");
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

function announceChange(
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
function announceFull(log: Logger, { nodeId: node }: Settings, before: Outcomes, now: Outcomes): void {
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

function summarize(
  { settings, log, signal }: UploaderOptions,
  { state }: Parts,
  { outcomes, isLost }: { readonly outcomes: Outcomes; readonly isLost: boolean },
): 0 | 1 {
  const waiting = countWaiting(state.db);
  const hasFailed = [...outcomes.values()].some((outcome) => outcome === "failed" || outcome === "stopped");
  if (waiting.objects > 0) log.warn({ ...waiting }, "left in the outbox; the next start goes on with it");
  if (isLost) {
    log.error("every source is stopped; see the errors above");
    return 1;
  }
  const isIncomplete = settings.once && !signal.aborted && (hasFailed || waiting.objects > 0);
  if (isIncomplete) log.error("not all was shipped; see the errors above, and run it again");
  else log.info(signal.aborted ? "stopped" : "done");
  return isIncomplete ? 1 : 0;
}
