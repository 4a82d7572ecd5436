import { join } from "node:path";
import type { ColumnBatch } from "../encode/column-batch.ts";
import type { ObjectWriter, ObjectWriterOptions } from "../encode/object-writer.ts";
import type { ExtractionThreads } from "../extract.ts";
import { findPackage } from "../package-root.ts";
import type { ReadOutcome } from "../read.ts";
import type { ReadsStart } from "../reads.ts";
import { buffersOf } from "./batch-buffers.ts";
import type { EncoderCalls } from "./encoder-thread.ts";
import type { ReaderCalls, ReaderNotice, ReaderThreadData } from "./reader-thread.ts";
import { startThread, type Thread } from "./thread.ts";

/** The reads that may be made before their rows are encoded; large ones are bounded by their bytes. */
const MOST_READS_AHEAD = 2;
const MOST_BYTES_AHEAD = 16 * 1024 * 1024;
/** Batches that wait for the encoder. */
const MOST_BATCHES_WAITING = 1;

/** Threads that are started when they are needed, and can be ended when they are not. */
export interface ManagedThreads extends ExtractionThreads {
  /** Ends them, unless they were used since the last call; they start again by themselves. */
  rest(): Promise<void>;
  close(): Promise<void>;
}

/**
 * Two threads, one that reads rows and turns them into columns, and one that encodes them, so that a backlog takes
 * the time of the slower of the two, and the main thread is free for uploads and signals.
 *
 * @param onHazard is told of what can be seen in a source but not mended
 */
export function createExtractionThreads(
  data: ReaderThreadData,
  onHazard: (notice: ReaderNotice) => void,
): ManagedThreads {
  const reader = createLazyThread(() =>
    startThread<ReaderCalls>(threadPath("reader-thread"), data, (notice) => onHazard(notice as ReaderNotice)),
  );
  const encoder = createLazyThread(() => startThread<EncoderCalls>(threadPath("encoder-thread"), null));
  let wasUsed = false;
  let writers = 0;

  /** Begins to read at once, while the caller is still busy with the read before. */
  function follow(table: string, start: ReadsStart): AsyncIterable<ReadOutcome> {
    wasUsed = true;
    const thread = reader.started();
    const ask = (): Promise<ReadOutcome | null> => handled(thread.call("next", null));
    const begun = handled(thread.call("begin", { table, start }));
    const ahead = [ask()];

    async function* take(): AsyncGenerator<ReadOutcome, void> {
      await begun;
      for (let next = ahead.shift(); next; next = ahead.shift()) {
        const outcome = await next;
        if (outcome === null) return;
        const most = outcome.kind === "rows" ? readsAhead(bytesOf(outcome.batches)) : 0;
        while (ahead.length < most) ahead.push(ask());
        yield outcome;
      }
    }
    return take();
  }

  async function openWriter(options: ObjectWriterOptions): Promise<ObjectWriter> {
    wasUsed = true;
    const thread = encoder.started();
    const writer = ++writers;
    await thread.call("open", { writer, options });
    const waiting: Promise<void>[] = [];
    let rows = 0;
    let estimatedBytes = 0;
    return {
      get rows() {
        return rows;
      },
      get estimatedBytes() {
        return estimatedBytes;
      },
      async append(batch) {
        if (batch.rows === 0) return;
        rows += batch.rows;
        const appended = thread.call("append", { writer, batch }, buffersOf([batch])).then((progress) => {
          estimatedBytes = progress.estimatedBytes;
        });
        waiting.push(handled(appended));
        while (waiting.length > MOST_BATCHES_WAITING) await waiting.shift();
      },
      async close() {
        await Promise.all(waiting);
        return thread.call("close", writer);
      },
      abort: () => thread.call("abort", writer),
    };
  }

  async function close(): Promise<void> {
    await Promise.all([reader.close(), encoder.close()]);
  }

  return {
    follow,
    openWriter,
    close,
    async rest() {
      if (!wasUsed) await close();
      wasUsed = false;
    },
  };
}

/** A thread that starts at its first use; one that has broken down is not used again. */
function createLazyThread<Calls extends Thread<never>>(start: () => Calls) {
  let thread: Calls | null = null;
  return {
    started(): Calls {
      if (thread?.hasEnded()) thread = null;
      thread ??= start();
      return thread;
    },
    async close(): Promise<void> {
      const last = thread;
      thread = null;
      await last?.close();
    },
  };
}

function threadPath(name: string): string {
  return join(findPackage().folder, "dist/src/threads", `${name}.js`);
}

function readsAhead(bytes: number): number {
  return Math.max(1, Math.min(MOST_READS_AHEAD, Math.floor(MOST_BYTES_AHEAD / Math.max(1, bytes))));
}

function bytesOf(batches: readonly (ColumnBatch | null)[]): number {
  return buffersOf(batches).reduce((total, { byteLength }) => total + byteLength, 0);
}

/** Whoever takes the promise meets its rejection; that nobody may take it does not end the process. */
function handled<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => {});
  return promise;
}
