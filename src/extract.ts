import { setImmediate as turn } from "node:timers/promises";
import { failpoint } from "./core/failpoints.ts";
import type { Revision } from "./core/types.ts";
import type { OpenObjectWriter } from "./encode/object-writer.ts";
import { createExtraction, type Extraction, type ExtractionOptions } from "./extraction.ts";
import { readCoveredRanges } from "./outbox/covered-ranges.ts";
import { mayComeTrue, settleDoubt } from "./outbox/doubtful-files.ts";
import { beginGeneration, commitExtraction, type NewObject, readPositions } from "./outbox/extractions.ts";
import { readSource, type SourceState, setHold } from "./outbox/sources.ts";
import { describeFileError, writeState } from "./outbox/state.ts";
import type { ReadOutcome, SourceReader } from "./read.ts";
import { type FollowReads, readOn, startBehind } from "./reads.ts";
import type { Position } from "./source/continuity.ts";
import { type Footing, formatFooting, parseFooting } from "./source/footing.ts";

/** Where an extraction of many rows is done, so that nothing else waits for it. */
export interface ExtractionThreads {
  readonly follow: FollowReads;
  readonly openWriter: OpenObjectWriter;
}

/** What the extractions of a source have in common. */
export interface ExtractorOptions extends ExtractionOptions {
  readonly reader: SourceReader;
  /** For the extractions that take more than one read; left out: they are done here as well. */
  readonly threads?: ExtractionThreads | undefined;
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
 * before that commit leaves no file, and a kill only files that the state does not list.
 */
export async function extract(options: ExtractorOptions, limits: ExtractLimits): Promise<ExtractOutcome> {
  const { state, reader, node, table, clock, maxRows } = options;
  const source = readSource(state.db, node, table) as SourceState;
  const startedAt = clock.now();
  const ends: Position[] = [];
  let footing: Footing | null = null;
  let extraction: Extraction | null = null;
  let isCaughtUp = false;
  let objects: readonly NewObject[] = [];
  let isListed = false;

  try {
    settleDoubt(state);
    const start = {
      cursor: source.cursor,
      covered: readCoveredRanges(state.db, source.id),
      positions: readPositions(state.db, source),
      footing: parseFooting(source.footing),
      hold: source.hold,
      context: null,
      maxRows,
      shipOpenWindows: limits.shipOpenWindows,
    };
    const first = reader.read(start);
    if (first.kind !== "rows") return endWithoutRows(options, source, first);
    const rest = first.isLast || first.sourceRows >= maxRows ? null : startBehind(start, first);
    const threads = rest === null ? undefined : options.threads;
    const following = rest && (threads ? threads.follow(table, rest) : readOn(reader, rest));
    extraction = createExtraction(
      { ...options, openWriter: threads?.openWriter },
      source,
      first.context,
      first.range.first,
      startedAt,
    );
    for await (const outcome of firstThen(first, following)) {
      if (outcome.kind !== "rows") {
        isCaughtUp = outcome.kind === "nothing";
        break;
      }
      await extraction.append(outcome);
      reader.watch(outcome);
      ends.push(outcome.position);
      footing = outcome.footing;
      isCaughtUp = outcome.isLast;
      if (extraction.largestBytes >= limits.targetBytes || limits.signal.aborted) break;
    }
    objects = await extraction.finish((ends.at(-1) as Position).rowid);
    const { revision } = extraction.context;
    failpoint("before-commit");
    const cursor = (ends.at(-1) as Position).rowid;
    const commit = { source, cursor, positions: ends, footing: formatFooting(footing), revision, objects };
    writeState(state, () => commitExtraction(state, commit));
    isListed = true;
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
    if (objects.length > 0 && mayComeTrue(error))
      for (const { file } of objects) state.filesInDoubt.add(file);
    else if (!isListed) await extraction?.abandon();
    throw describeFileError(error, state.files);
  }
}

async function* firstThen(
  first: ReadOutcome,
  following: Iterable<ReadOutcome> | AsyncIterable<ReadOutcome> | null,
): AsyncGenerator<ReadOutcome, void> {
  yield first;
  if (following === null) return;
  for await (const outcome of following) {
    yield outcome;
    // What is read here takes its time of this thread, on which deliveries and signals wait.
    await turn();
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
