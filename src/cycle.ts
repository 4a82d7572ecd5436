import type { Clock } from "./core/clock.ts";
import type { Delivery } from "./deliver.ts";
import { type ExtractOutcome, type ExtractorOptions, extract } from "./extract.ts";
import type { Logger } from "./observe/logger.ts";
import type { ExtractedRows } from "./observe/monitor.ts";
import { waitingBytes } from "./outbox/objects.ts";
import { readSource, type SourceState } from "./outbox/sources.ts";
import type { State } from "./outbox/state.ts";

export interface CycleOptions {
  readonly state: State;
  readonly extractors: readonly ExtractorOptions[];
  readonly delivery: Delivery;
  readonly clock: Clock;
  readonly log: Logger;
  /** Encoded bytes of a full object. */
  readonly targetObjectBytes: number;
  /** Bytes of the outbox that each source may fill. */
  readonly outboxShareBytes: number;
  /** Whether rows are shipped although their window is open. */
  readonly shipOpenWindows: boolean;
  /** Ends the cycle after the extraction in hand. */
  readonly signal: AbortSignal;
  readonly onExtracted: (extracted: ExtractedRows) => void;
}

/** How a cycle left a source. */
export type SourceOutcome =
  /** All that could be shipped when it was last read is extracted. */
  | "idle"
  /** Its share of the outbox is full; its rows wait in the source. */
  | "full"
  /** It could not be read or written; the error has been logged. */
  | "failed"
  /** Another uploader owns it. */
  | "stopped";

/**
 * One pass over all sources: extracts what is new into the outbox, one extraction of each source in turn,
 * while the delivery sends what is already there.
 */
export async function runCycle(options: CycleOptions): Promise<Map<string, SourceOutcome>> {
  const outcomes = new Map<string, SourceOutcome>();
  const isDone = ({ table }: ExtractorOptions) => outcomes.has(table);
  while (!options.signal.aborted && !options.extractors.every(isDone)) {
    for (const extractor of options.extractors) {
      if (isDone(extractor) || options.signal.aborted) continue;
      const outcome = await extractOnce(extractor, options);
      if (outcome !== "more") outcomes.set(extractor.table, outcome);
    }
  }
  return outcomes;
}

async function extractOnce(
  extractor: ExtractorOptions,
  options: CycleOptions,
): Promise<SourceOutcome | "more"> {
  const { state, delivery, clock, log, shipOpenWindows } = options;
  const { node, table } = extractor;
  const source = readSource(state.db, node, table) as SourceState;
  if (delivery.failure(source)?.code === "OWNED_BY_ANOTHER") return "stopped";
  const room = options.outboxShareBytes - waitingBytes(state, source);
  if (room < leastRoom(options)) return "full";
  const began = clock.now();
  try {
    const targetBytes = Math.min(options.targetObjectBytes, room);
    const outcome = await extract(extractor, { targetBytes, shipOpenWindows, signal: options.signal });
    logExtraction(log.child({ node, table }), outcome, clock.now() - began);
    if (outcome.kind === "idle") return "idle";
    if (outcome.kind === "replaced") return "more";
    options.onExtracted({ table, pipelineType: outcome.revision.type, rows: outcome.rows });
    delivery.wake();
    // Rows that have come since its last read wait for the next cycle, or a busy sensor's would never end.
    return outcome.isCaughtUp ? "idle" : "more";
  } catch (err) {
    log.error({ node, table, err }, "not extracted; nothing is lost, the next cycle or run tries again");
    return "failed";
  }
}

/** Below this much room an extraction would make objects too small to be worth it. */
function leastRoom({ targetObjectBytes, outboxShareBytes }: CycleOptions): number {
  return Math.min(targetObjectBytes, outboxShareBytes / 8);
}

function logExtraction(log: Logger, outcome: ExtractOutcome, durationMs: number): void {
  switch (outcome.kind) {
    case "idle":
      log.debug({ pipelineType: outcome.revision.type, revision: outcome.revision.id }, "nothing new");
      return;
    case "replaced":
      log.error(
        { generation: outcome.generation, resumeAfter: outcome.resumeAfter },
        `the source was replaced (${outcome.reason}): generation ${outcome.generation} begins ${
          outcome.resumeAfter === null ? "with its first row" : `after row ${outcome.resumeAfter}`
        }; rows since then may come twice, which their _generation tells; check that the table was meant to be replaced`,
      );
      return;
    case "extracted":
      for (const object of outcome.objects) {
        log.info(
          {
            pipelineType: object.pipelineType,
            revision: object.revisionId,
            object: `${object.bucket}/${object.key}`,
            firstRowid: object.firstRowid,
            lastRowid: object.lastRowid,
            rows: object.rows,
            bytes: object.bytes,
            durationMs,
          },
          "extracted",
        );
      }
  }
}
