import { rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "./core/clock.ts";
import { failpoint } from "./core/failpoints.ts";
import { formatObjectKey } from "./core/object-key.ts";
import type { ConstantColumn, Revision, Route, RouteQuery } from "./core/types.ts";
import { createConstantAppender } from "./encode/constants.ts";
import type { CreateFile, ObjectWriter, ParquetCompression } from "./encode/object-writer.ts";
import { resultColumns } from "./encode/read-columns.ts";
import { openCoveredRanges } from "./outbox/covered-ranges.ts";
import { beginGeneration, commitExtraction, type NewObject, readPositions } from "./outbox/extractions.ts";
import { type Destination, readSource, type SourceState, setHold } from "./outbox/sources.ts";
import { describeFileError, type State, writeState } from "./outbox/state.ts";
import { syncFolder } from "./outbox/sync-folder.ts";
import type { ReadContext, ReadOutcome, SourceReader } from "./read.ts";
import type { Position } from "./source/continuity.ts";
import { uploaderVersion } from "./version.ts";

export interface ExtractorOptions {
  readonly state: State;
  readonly reader: SourceReader;
  readonly node: string;
  readonly table: string;
  readonly destination: Destination;
  readonly compression: ParquetCompression;
  /** The most source rows in one extraction, and so in one object. */
  readonly maxRows: number;
  readonly clock: Clock;
  /** Left out: the file system. Tests record what it is asked for, or fail. */
  readonly disk?: OutboxDisk;
}

/** What an extraction asks of the file system. */
export interface OutboxDisk {
  readonly createFile: CreateFile;
  /** Makes the names of new files survive a loss of power, as fsync of the files alone does not. */
  readonly syncFolder: (path: string) => Promise<void>;
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
  let extraction: Extraction | null = null;
  let isCaughtUp = false;
  let isReady = false;

  try {
    for (;;) {
      const outcome = reader.read({
        cursor: ends.at(-1)?.rowid ?? source.cursor,
        covered,
        positions: [...ends.slice(-1), ...stored],
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
      isCaughtUp = outcome.isLast;
      const isFull = extraction.sourceRows >= maxRows || extraction.largestBytes >= limits.targetBytes;
      if (isFull || isCaughtUp || limits.signal.aborted) break;
    }
    const objects = await extraction.finish((ends.at(-1) as Position).rowid);
    const { revision } = extraction.context;
    isReady = true;
    failpoint("before-commit");
    const cursor = (ends.at(-1) as Position).rowid;
    writeState(state, () => commitExtraction(state, { source, cursor, positions: ends, revision, objects }));
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
      writeState(state, () => beginGeneration(state, source, outcome.resumeAfter));
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

/** Tells the files of this process's extractions apart, also from those of one whose commit failed. */
let attempts = 0;

interface Extraction {
  readonly context: ReadContext;
  readonly sourceRows: number;
  /** Encoded bytes of the largest object so far. */
  readonly largestBytes: number;
  append(read: Extract<ReadOutcome, { kind: "rows" }>): Promise<void>;
  /** Ends and syncs the files, then their folder. */
  finish(lastRowid: bigint): Promise<NewObject[]>;
  abandon(): Promise<void>;
}

interface RouteFile {
  readonly query: RouteQuery;
  readonly file: string;
  readonly writer: ObjectWriter;
  readonly withConstants: ReturnType<typeof createConstantAppender>;
}

function createExtraction(
  options: ExtractorOptions,
  source: SourceState,
  context: ReadContext,
  firstRowid: bigint,
  startedAt: number,
): Extraction {
  const { state, node, table, destination, compression, clock } = options;
  const { generation, nextSequence: sequence } = source;
  const { revision } = context;
  const started = new Date(startedAt).toISOString();
  const attempt = ++attempts;
  const files: (RouteFile | null)[] = context.query.routes.map(() => null);
  let sourceRows = 0;

  async function openFile(query: RouteQuery): Promise<RouteFile> {
    const constants = [...query.constants, ...originColumns(node, generation, startedAt)];
    const file = `${source.id}-${generation}-${sequence}-${routeName(query.route)}-${attempt}.parquet`;
    // Loaded by the first object: the encoder takes longer to load than a start with nothing to do.
    const { openObjectWriter } = await import("./encode/object-writer.ts");
    const writer = await openObjectWriter({
      path: join(state.files.outbox, file),
      createFile: options.disk?.createFile,
      columns: [...resultColumns(query.columns, query.rowwise), ...constants],
      compression,
      footer: {
        node_id: node,
        table,
        generation: String(generation),
        pipeline_type: revision.type,
        revision: String(revision.id),
        uploader_version: uploaderVersion(),
      },
    });
    return { query, file, writer, withConstants: createConstantAppender(constants) };
  }

  return {
    context,
    get sourceRows() {
      return sourceRows;
    },
    get largestBytes() {
      return Math.max(...files.map((file) => file?.writer.estimatedBytes ?? 0));
    },
    async append({ batches, sourceRows: rows }) {
      for (const [index, batch] of batches.entries()) {
        if (batch === null) continue;
        files[index] ??= await openFile(context.query.routes[index] as RouteQuery);
        await files[index].writer.append(files[index].withConstants(batch));
      }
      sourceRows += rows;
    },
    async finish(lastRowid) {
      const used = files.filter((file) => file !== null);
      const finished = [];
      for (const file of used) finished.push({ ...file, ...(await file.writer.close()) });
      failpoint("before-folder-sync");
      await (options.disk?.syncFolder ?? syncFolder)(state.files.outbox);
      failpoint("after-folder-sync");
      return finished.map(({ query: { route }, file, rows, bytes, sha256 }, index) => ({
        table,
        generation,
        sequence,
        route,
        pipelineType: revision.type,
        revisionId: revision.id,
        bucket: destination.buckets[route.type],
        key: formatObjectKey({
          route,
          node,
          table,
          generation,
          sequence,
          part: index + 1,
          parts: used.length,
          range: { first: firstRowid, last: lastRowid },
          rows,
          ingestDate: started.slice(0, 10),
        }),
        file,
        rows,
        bytes,
        sha256,
        firstRowid,
        lastRowid,
        startedAt: started,
        extractedAt: new Date(clock.now()).toISOString(),
      }));
    },
    async abandon() {
      for (const file of files) {
        await file?.writer.abort().catch(() => {});
        if (file) rmSync(join(state.files.outbox, file.file), { force: true });
      }
    },
  };
}

/** The columns that every object has, which say where its rows are from. */
function originColumns(node: string, generation: number, startedAt: number): ConstantColumn[] {
  return [
    { name: "_node_id", type: "string", value: node },
    { name: "_generation", type: "int64", value: BigInt(generation) },
    { name: "_extracted_at", type: "timestamp", value: BigInt(startedAt) * 1000n },
  ];
}

function routeName(route: Route): string {
  return route.rejected ? `${route.type}-rejected` : route.type;
}
