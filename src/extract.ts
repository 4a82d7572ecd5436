import { failpoint } from "./core/failpoints.ts";
import type { Revision } from "./core/types.ts";
import { createExtraction, type Extraction, type ExtractionOptions } from "./extraction.ts";
import { openCoveredRanges } from "./outbox/covered-ranges.ts";
import { beginGeneration, commitExtraction, type NewObject, readPositions } from "./outbox/extractions.ts";
import { readSource, type SourceState, setHold } from "./outbox/sources.ts";
import { describeFileError, writeState } from "./outbox/state.ts";
import type { ReadOutcome, SourceReader } from "./read.ts";
import type { Position } from "./source/continuity.ts";
import { formatFooting, parseFooting } from "./source/footing.ts";

/** What the extractions of a source have in common. */
export interface ExtractorOptions extends ExtractionOptions {
  readonly reader: SourceReader;
  /** The most source rows in one extraction, and so in one object. */
  readonly maxRows: number;
}

export type ExtractOutcome =
  | {
      readonly kind: "extracted";
      readonly revision: Revision;
      readonly generation: number;
      readonly sequence: number;
      readonly objects: readonly NewObject[];
      /** Source rows. */
      readonly rows: number;
      /** Whether the source had no further row at its last read. */
      readonly isCaughtUp: boolean;
    }
  /** Nothing new, or only rows that wait for their window to end. */
  | { readonly kind: "idle"; readonly revision: Revision }
  /** A new generation has begun, because the source was replaced. */
  | {
      readonly kind: "replaced";
      readonly generation: number;
      readonly reason: string;
      readonly resumeAfter: bigint | null;
    };

export interface ExtractLimits {
  /** Encoded bytes at which the extraction ends. */
  readonly targetBytes: number;
  readonly shipOpenWindows: boolean;
  /** Ends the extraction after the read in hand. */
  readonly signal: AbortSignal;
}

/**
 * One extraction of a source: reads, until an object is full, no row is left, or the revision or the schema
 * changes; Parquet files, one per route, synced; then the one commit that makes it true. Whatever fails
 * before that commit leaves only files that the state does not list.
 *
 * A commit that fails may still be on disk and come true after a loss of power, so its files stay; if it never
 * does, the next start removes them.
 */
export async function extract(options: ExtractorOptions, limits: ExtractLimits): Promise<ExtractOutcome> {
  const { state, reader, node, table, clock, maxRows } = options;
  const source = readSource(state.db, node, table) as SourceState;
  const stored = readPositions(state.db, source);
  const covered = openCoveredRanges(state.db, source.id);
  const startedAt = clock.now();
  const ends: Position[] = [];
  let footing = parseFooting(source.footing);
  let extraction: Extraction | null = null;
  let isCaughtUp = false;
  let isReady = false;

  try {
    for (;;) {
      const outcome = reader.read({
        cursor: ends.at(-1)?.rowid ?? source.cursor,
        covered,
        positions: [...ends.slice(-1), ...stored],
        footing,
        hold: source.hold,
        context: extraction?.context ?? null,
        maxRows: maxRows - (extraction?.sourceRows ?? 0),
        shipOpenWindows: limits.shipOpenWindows,
      });
      if (outcome.kind !== "rows") {
        if (extraction === null) return endWithoutRows(options, source, outcome);
        isCaughtUp = outcome.kind === "nothing";
        break;
      }
      extraction ??= createExtraction(options, source, outcome.context, outcome.range.first, startedAt);
      await extraction.append(outcome);
      ends.push(outcome.position);
      footing = outcome.footing;
      isCaughtUp = outcome.isLast;
      const isFull = extraction.sourceRows >= maxRows || extraction.largestBytes >= limits.targetBytes;
      if (isFull || isCaughtUp || limits.signal.aborted) break;
    }
    const objects = await extraction.finish((ends.at(-1) as Position).rowid);
    const { revision } = extraction.context;
    isReady = true;
    failpoint("before-commit");
    const cursor = (ends.at(-1) as Position).rowid;
    const commit = { source, cursor, positions: ends, footing: formatFooting(footing), revision, objects };
    writeState(state, () => commitExtraction(state, commit));
    failpoint("after-commit");
    return {
      kind: "extracted",
      revision,
      generation: source.generation,
      sequence: source.nextSequence,
      objects,
      rows: extraction.sourceRows,
      isCaughtUp,
    };
  } catch (error) {
    if (!isReady) await extraction?.abandon();
    throw describeFileError(error, state.files);
  }
}

function endWithoutRows(
  { state }: ExtractorOptions,
  source: SourceState,
  outcome: Exclude<ReadOutcome, { kind: "rows" }>,
): ExtractOutcome {
  switch (outcome.kind) {
    case "replaced":
      failpoint("before-generation");
      writeState(state, () => {
        beginGeneration(state, source, outcome.resumeAfter, formatFooting(outcome.footing));
      });
      failpoint("after-generation");
      return { ...outcome, generation: source.generation + 1 };
    case "held":
      if (source.hold?.row !== outcome.hold.row || source.hold.since !== outcome.hold.since) {
        failpoint("before-hold");
        writeState(state, () => setHold(state, source, outcome.hold));
        failpoint("after-hold");
      }
      return { kind: "idle", revision: outcome.revision };
    case "nothing":
      return { kind: "idle", revision: outcome.revision };
    case "changed":
      throw new Error("the first read of an extraction takes whatever is in effect");
  }
}
