import { totalmem } from "node:os";

/** Larger than any reading, and what Spark reads without trouble. */
const MOST_BYTES = 128 * 1024 * 1024;

/** On its way a value is in memory about ten times: as SQLite's, V8's, Arrow's and Parquet's. */
const SHARE_OF_MEMORY = 24;

/**
 * The most bytes of long values that one row is shipped with; on a machine, or in a container, with less than
 * 3 GB of memory it is less. What goes beyond is null, and its size is noted in `_rescued`, because a row that no
 * memory can hold would end the program at each start.
 */
export const MAX_ROW_BYTES = Math.min(MOST_BYTES, Math.floor(memoryBytes() / SHARE_OF_MEMORY));

/** Values up to this size are not counted. */
const LONG_BYTES = 64 * 1024;

/** The bytes of a long text or blob; 0 for all other values. */
export function longBytes(value: unknown): number {
  if (typeof value === "string") return value.length > LONG_BYTES ? Buffer.byteLength(value) : 0;
  return Buffer.isBuffer(value) && value.length > LONG_BYTES ? value.length : 0;
}

function memoryBytes(): number {
  // 0, or far too much, where nothing is set.
  const constrained = process.constrainedMemory() ?? 0;
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
