import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { PIPELINE_TYPES, type PipelineType, type QuerySettings } from "../src/core/types.ts";
import { DEFAULT_REVISION } from "../src/pipeline/revision.ts";
import { createSourceReader, type RowsRead } from "../src/read.ts";
import { readOn } from "../src/reads.ts";
import { openSourceDatabase } from "../src/source-database.ts";
import { openForTest } from "./support/readings.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

/** The first read of an extraction is made on the main thread: its time is what uploads and health answers wait. */

const SETTINGS: QuerySettings = {
  emergency: { filter: { m1: 7 } },
  schematized: { schemas: {}, enrich: {} },
  aggregated: { windowSeconds: 60, groupBy: [], metrics: null },
};

/** A number in each of so many columns, beside the id. */
function openTable(columns: number, rows: number) {
  const names = Array.from({ length: columns }, (_, index) => `m${index}`);
  return open(
    `CREATE TABLE readings (id INTEGER PRIMARY KEY, ${names.map((name) => `${name} REAL`).join(", ")});
     WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
     INSERT INTO readings SELECT i, ${names.map((_, index) => `i % ${index + 3} + 0.5`).join(", ")} FROM n`,
  );
}

function open(sql: string) {
  const path = join(temporaryFolder(), "sensor.db");
  openForTest(path).exec(sql);
  const db = openSourceDatabase(path);
  onTestFinished(() => void db.close());
  return db;
}

/** The first two reads of an extraction. */
function twoReads(db: ReturnType<typeof open>, type: PipelineType): [first: RowsRead, second: RowsRead] {
  const reader = createSourceReader({
    ...{ db, table: "readings", timestampColumn: null, settings: SETTINGS },
    readRevision: () => ({ ...DEFAULT_REVISION, type }),
    now: () => 0,
  });
  const start = {
    ...{ cursor: null, positions: [], footing: null, hold: null, context: null },
    ...{ maxRows: 1_000_000, shipOpenWindows: true },
  };
  const reads = readOn(reader, start);
  return [reads.next().value, reads.next().value] as [RowsRead, RowsRead];
}

test.each(PIPELINE_TYPES)("of %s has few rows where they are wide, the second as many as ever", (type) => {
  const [first, second] = twoReads(openTable(120, 12_000), type);
  const columns = Math.max(...first.context.query.routes.map((route) => route.columns.length));
  expect(first.sourceRows).toBe(Math.ceil(200_000 / columns));
  expect(first.sourceRows).toBeLessThan(2_000);
  expect(second.range.first).toBe(first.range.last + 1n);
  expect(second.sourceRows).toBe(8_192);
});

test("of ordinary rows has as many as a steady sensor writes in a cycle, so that it needs no threads", () => {
  const [first] = twoReads(openTable(26, 12_000), "raw");
  expect(first.sourceRows).toBeGreaterThan(5_000);
});

test("ends at 4 MB where rows are large", () => {
  const db = open(
    `CREATE TABLE readings (id INTEGER PRIMARY KEY, note TEXT);
     WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000)
     INSERT INTO readings SELECT i, printf('%.2048c', 'x') FROM n`,
  );
  const [first, second] = twoReads(db, "raw");
  expect(first.sourceRows * 2_048).toBeLessThan(2 ** 22);
  expect(first.sourceRows * 2_048).toBeGreaterThan(0.95 * 2 ** 22);
  expect(second.sourceRows).toBeGreaterThan(3 * first.sourceRows);
});
