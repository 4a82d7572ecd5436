import type { ColumnBatch } from "../encode/column-batch.ts";

/** The buffers that the columns of batches lie in, which can be handed to another thread instead of copied. */
export function buffersOf(batches: readonly (ColumnBatch | null)[]): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const batch of batches)
    for (const { values, validity, offsets } of batch?.columns ?? [])
      for (const part of [values, validity, offsets]) if (part) buffers.add(part.buffer as ArrayBuffer);
  return [...buffers];
}
