import { describe, expect, it } from "vitest";
import type { PipelineType, SourceSchema } from "../src/core/types.ts";
import { QUERIES } from "../src/query/query.ts";
import { readLimits } from "../src/read-limits.ts";
import type { Connection } from "../src/sqlite/open.ts";
import { loadNative, nativeSuite } from "./native/native-suite.ts";
import { createTable, openMemory, SETTINGS } from "./query/tables.ts";

/** The most rows of the first read, and of those behind it. */
function mostRows(db: Connection, type: PipelineType, measured: number): [first: number, others: number] {
  const query = QUERIES[type](tableOf(measured), SETTINGS);
  return [readLimits(db, query, true).maxRows, readLimits(db, query, false).maxRows];
}

function tableOf(measured: number): SourceSchema {
  const names = Array.from({ length: measured }, (_, index) => `m${index}`);
  return createTable(openMemory(), Object.fromEntries(names.map((name) => [name, "REAL"])));
}

describe("the most rows of a read", () => {
  it("are fewer in the first where they are wide", () => {
    expect(mostRows(openMemory(), "raw", 7)).toEqual([8_192, 8_192]);
    expect(mostRows(openMemory(), "raw", 498)).toEqual([400, 8_192]);
    expect(mostRows(openMemory(), "aggregated", 100)).toEqual([Math.ceil(200_000 / 603), 8_192]);
  });

  nativeSuite("with the C extension", () => {
    it("are four times as many where it groups them, and their figures are few", () => {
      const db = openMemory();
      loadNative(db);
      expect(mostRows(db, "aggregated", 7)).toEqual([4_445, 32_768]);
      expect(mostRows(db, "aggregated", 12)).toEqual([2_667, 20_000]);
      expect(mostRows(db, "aggregated", 300)).toEqual([111, 8_192]);
      for (const type of ["raw", "schematized", "emergency"] as const)
        expect(mostRows(db, type, 7)).toEqual([8_192, 8_192]);
    });

    it("are no more in a database in UTF-16, which SQLite groups", () => {
      const db = openMemory();
      db.pragma("encoding = 'UTF-16le'");
      loadNative(db);
      expect(mostRows(db, "aggregated", 7)).toEqual([4_445, 8_192]);
    });
  });
});
