import { workerData } from "node:worker_threads";
import { UploaderError } from "../core/errors.ts";
import type { QuerySettings, Revision } from "../core/types.ts";
import { createSourceReader, type ReadOutcome, type SourceReader } from "../read.ts";
import { type ReadsStart, readOn } from "../reads.ts";
import { followRevisions } from "../revisions.ts";
import type { SourceHazard } from "../source/hazards.ts";
import { openSourceDatabase } from "../source-database.ts";
import { noteFile } from "../sqlite/file-identity.ts";
import { type Connection, openDatabase } from "../sqlite/open.ts";
import { answerCalls, notice, Transferred } from "./answer-calls.ts";
import { buffersOf } from "./batch-buffers.ts";

/** What the reader thread is started with. */
export interface ReaderThreadData {
  readonly sqlitePath: string;
  /** `id` of the file that the main thread has open. */
  readonly sourceFileId: string | null;
  readonly pipelineDbPath: string | null;
  readonly timestampColumn: string | null;
  readonly queries: QuerySettings;
  readonly lastKnownRevision: Revision | null;
}

/** What the reader thread is asked for. */
export interface ReadsOfTable {
  readonly table: string;
  readonly start: ReadsStart;
}

/** What the reader thread answers. */
export type ReaderCalls = {
  /** Begins the reads of an extraction; those of an earlier one are forgotten. */
  begin(reads: ReadsOfTable): void;
  /** The next of them; null behind the last. */
  next(argument: null): ReadOutcome | null;
};

/** What the reader thread notices. */
export interface ReaderNotice {
  readonly table: string;
  readonly hazard: SourceHazard;
}

/** What is open from the first reads on. */
interface Source {
  /** Its rows do not follow on what the main thread has read. */
  readonly isAnotherFile: boolean;
  readerOf(table: string): SourceReader;
  close(): void;
}

const data = workerData as ReaderThreadData;
let source: Source | null = null;
let reads: Iterator<ReadOutcome> | null = null;

answerCalls(
  {
    begin({ table, start }: ReadsOfTable) {
      // Here rather than when the thread starts, where an error would end it and lose its hint.
      source ??= openSource();
      if (source.isAnotherFile)
        throw new UploaderError({
          code: "SOURCE_UNREADABLE",
          message: `${data.sqlitePath} was replaced while its rows were read.`,
          hint: "Wait: the next cycle ships what is left in the old file, then opens the new one.",
        });
      reads = readOn(source.readerOf(table), start);
    },
    next() {
      const outcome = reads?.next().value ?? null;
      return outcome?.kind === "rows" ? new Transferred(outcome, buffersOf(outcome.batches)) : outcome;
    },
  } satisfies Record<keyof ReaderCalls, unknown>,
  () => source?.close(),
);

function openSource(): Source {
  const { sqlitePath, sourceFileId, pipelineDbPath, timestampColumn, queries: settings } = data;
  const idBefore = noteFile(sqlitePath).id;
  const db = openSourceDatabase(sqlitePath);
  const controlDb = pipelineDbPath === null ? db : openControlDatabase(pipelineDbPath, db);
  // What is odd about the control tables is said by the main thread, which follows them too.
  const revisions = followRevisions(controlDb, data.lastKnownRevision, {
    clock: { now: () => Date.now() },
    log: { warn() {}, debug() {} },
  });
  const readers = new Map<string, SourceReader>();
  return {
    isAnotherFile: [idBefore, noteFile(sqlitePath).id].some((id) => id !== sourceFileId),
    readerOf(table) {
      let reader = readers.get(table);
      if (!reader) {
        reader = createSourceReader({
          ...{ db, table, timestampColumn, settings },
          readRevision: () => revisions.read(),
          now: () => Date.now(),
          onHazard: (hazard) => notice({ table, hazard } satisfies ReaderNotice),
        });
        readers.set(table, reader);
      }
      return reader;
    },
    close() {
      db.close();
      if (controlDb !== db) controlDb.close();
    },
  };
}

function openControlDatabase(path: string, db: Connection): Connection {
  try {
    return openDatabase(path, { mode: "read" });
  } catch (error) {
    db.close();
    throw error;
  }
}
