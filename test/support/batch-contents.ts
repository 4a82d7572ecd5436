import type { ColumnBatch } from "../../src/encode/column-batch.ts";

/** Column by column, what the buffers of a batch say; bytes as hex. */
export function batchContents({ rows, columns }: ColumnBatch): unknown[][] {
  const bit = (bits: Uint8Array, row: number) => (((bits[row >> 3] as number) >> (row & 7)) & 1) === 1;
  return columns.map(({ type, values, validity, offsets }) =>
    Array.from({ length: rows }, (_, row) => {
      if (validity && !bit(validity, row)) return null;
      if (type === "boolean") return bit(values as Uint8Array, row);
      if (!offsets) return values[row];
      const bytes = Buffer.from((values as Uint8Array).subarray(offsets[row], offsets[row + 1]));
      return bytes.toString(type === "string" ? "utf8" : "hex");
    }),
  );
}
