import { discard } from "../core/discard.ts";
import type { ColumnBatch } from "../encode/column-batch.ts";
import {
  type FinishedObject,
  type ObjectWriter,
  type ObjectWriterOptions,
  openObjectWriter,
} from "../encode/object-writer.ts";
import { answerCalls } from "./answer-calls.ts";
import { buffersOf } from "./batch-buffers.ts";

/** What the encoder thread answers. Writers have numbers, which the caller chooses. */
export type EncoderCalls = {
  open(argument: { readonly writer: number; readonly options: ObjectWriterOptions }): Promise<void>;
  append(argument: { readonly writer: number; readonly batch: ColumnBatch }): Promise<WriterProgress>;
  close(writer: number): Promise<FinishedObject>;
  abort(writer: number): Promise<void>;
};

/** How far a writer is. */
export interface WriterProgress {
  readonly estimatedBytes: number;
}

const writers = new Map<number, ObjectWriter>();
const writerOf = (writer: number) => writers.get(writer) as ObjectWriter;

answerCalls({
  async open({ writer, options }) {
    const onEncoded = (batch: ColumnBatch) => discard(buffersOf([batch]));
    writers.set(writer, await openObjectWriter({ ...options, onEncoded }));
  },
  async append({ writer, batch }) {
    await writerOf(writer).append(batch);
    return { estimatedBytes: writerOf(writer).estimatedBytes };
  },
  // One that cannot be closed is given up next.
  async close(writer) {
    const finished = await writerOf(writer).close();
    writers.delete(writer);
    return finished;
  },
  async abort(writer) {
    const givenUp = writerOf(writer);
    writers.delete(writer);
    await givenUp.abort();
  },
} satisfies EncoderCalls);
