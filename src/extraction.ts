import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "./core/clock.ts";
import { failpoint } from "./core/failpoints.ts";
import { formatObjectKey } from "./core/object-key.ts";
import type { ConstantColumn, Route, RouteQuery } from "./core/types.ts";
import type { CreateFile, ObjectWriter, OpenObjectWriter } from "./encode/object-writer.ts";
import type { ParquetCompression } from "./encode/parquet-encoder.ts";
import { resultColumns } from "./encode/read-columns.ts";
import type { NewObject } from "./outbox/extractions.ts";
import type { Destination, SourceState } from "./outbox/sources.ts";
import type { State } from "./outbox/state.ts";
import { syncFolder } from "./outbox/sync-folder.ts";
import { findPackage } from "./package-root.ts";
import type { ReadContext, RowsRead } from "./read.ts";
import { formatKnownRow } from "./source/known-row.ts";

export interface ExtractionOptions {
  readonly state: State;
  readonly node: string;
  readonly table: string;
  readonly destination: Destination;
  readonly compression: ParquetCompression;
  readonly clock: Clock;
  /** Left out: the file system. Tests record what it is asked for, or fail. */
  readonly disk?: OutboxDisk;
  /** Left out: objects are encoded on this thread. */
  readonly openWriter?: OpenObjectWriter | undefined;
}

/** What an extraction asks of the file system. */
export interface OutboxDisk {
  readonly createFile: CreateFile;
  /** Makes the names of new files survive a loss of power, as fsync of the files alone does not. */
  readonly syncFolder: (path: string) => Promise<void>;
}

/** The files of one extraction, in the making. */
export interface Extraction {
  readonly context: ReadContext;
  readonly sourceRows: number;
  /** Encoded bytes of the largest object so far. */
  readonly largestBytes: number;
  append(read: RowsRead): Promise<void>;
  /** Ends and syncs the files, then their folder. */
  finish(lastRowid: bigint): Promise<NewObject[]>;
  abandon(): Promise<void>;
}

interface RouteFile {
  readonly query: RouteQuery;
  readonly file: string;
  readonly writer: ObjectWriter;
}

/** Tells the files of this process apart, also from those of an extraction whose commit failed. */
let attempts = 0;

/** Begins an extraction with its first read; a file is opened for each route that has rows. */
export function createExtraction(
  options: ExtractionOptions,
  source: SourceState,
  context: ReadContext,
  firstRowid: bigint,
  startedAt: number,
): Extraction {
  const { state, node, table, destination, compression, clock } = options;
  const { generation, nextSequence: sequence } = source;
  const { revision } = context;
  const started = new Date(startedAt).toISOString();
  const files: (RouteFile | null)[] = context.query.routes.map(() => null);
  /** Of files that are there or may be: one may have been made although its writer could not be opened. */
  const paths: string[] = [];
  let sourceRows = 0;

  /** Another process's, which it left, may be there yet. */
  function newFile(route: Route): string {
    const file = `${source.id}-${generation}-${sequence}-${routeName(route)}-${++attempts}.parquet`;
    return existsSync(join(state.files.outbox, file)) ? newFile(route) : file;
  }

  async function openFile(query: RouteQuery, { footing, position }: RowsRead): Promise<RouteFile> {
    const knownRow = formatKnownRow(context.schema, position);
    const file = newFile(query.route);
    const path = join(state.files.outbox, file);
    paths.push(path);
    const writer = await (options.openWriter ?? openWriterHere)({
      path,
      createFile: options.disk?.createFile,
      columns: resultColumns(query.columns, query.rowwise),
      constants: [...query.constants, ...originColumns(node, generation, startedAt)],
      compression,
      footer: {
        node_id: node,
        table,
        generation: String(generation),
        pipeline_type: revision.type,
        revision: String(revision.id),
        uploader_version: findPackage().version,
        // By which a rebuild knows the table again, and that the rows still have the rowids they have here.
        ...(knownRow !== null && { known_row: knownRow }),
        ...(footing?.numbering && { schema_version: String(footing.numbering.schemaVersion) }),
      },
    });
    return { query, file, writer };
  }

  return {
    context,
    get sourceRows() {
      return sourceRows;
    },
    get largestBytes() {
      return Math.max(...files.map((file) => file?.writer.estimatedBytes ?? 0));
    },
    async append(read) {
      for (const [index, batch] of read.batches.entries()) {
        if (batch === null) continue;
        files[index] ??= await openFile(context.query.routes[index] as RouteQuery, read);
        await files[index].writer.append(batch);
      }
      sourceRows += read.sourceRows;
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
      for (const file of files) await file?.writer.abort().catch(() => {});
      for (const path of paths) rmSync(path, { force: true });
    },
  };
}

/** Loaded by the first object: the encoder takes longer to load than a start with nothing to do. */
const openWriterHere: OpenObjectWriter = async (options) =>
  (await import("./encode/object-writer.ts")).openObjectWriter(options);

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
