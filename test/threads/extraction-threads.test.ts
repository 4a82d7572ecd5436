import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { QuerySettings } from "../../src/core/types.ts";
import { type ObjectWriter, openObjectWriter } from "../../src/encode/object-writer.ts";
import { resultColumns } from "../../src/encode/read-columns.ts";
import { DEFAULT_REVISION } from "../../src/pipeline/revision.ts";
import { createSourceReader, type ReadOutcome, type RowsRead } from "../../src/read.ts";
import { type ReadsStart, readOn } from "../../src/reads.ts";
import { openSourceDatabase } from "../../src/source-database.ts";
import { noteFile } from "../../src/sqlite/file-identity.ts";
import { createExtractionThreads } from "../../src/threads/extraction-threads.ts";
import { appendReadings, openReadings } from "../support/readings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const SETTINGS: QuerySettings = {
  emergency: { filter: { anomaly_flag: 1 } },
  schematized: { schemas: {}, enrich: {} },
  aggregated: { windowSeconds: 60, groupBy: null, metrics: null },
};

/** More than two reads. */
const ROWS = 20_000;

const START: ReadsStart = {
  cursor: null,
  covered: [{ first: 9_000n, last: 9_500n }],
  positions: [],
  footing: null,
  hold: null,
  context: null,
  maxRows: 1_000_000,
  shipOpenWindows: true,
};

function setUp(more: { readonly sourceFileId?: string } = {}) {
  const folder = temporaryFolder();
  const sqlitePath = join(folder, "sensor.db");
  appendReadings(openReadings(sqlitePath), ROWS);
  const data = {
    ...{
      sqlitePath,
      sourceFileId: noteFile(sqlitePath).id,
      pipelineDbPath: null,
      timestampColumn: null,
      queries: SETTINGS,
    },
    lastKnownRevision: null,
    ...more,
  };
  const threads = createExtractionThreads(data, () => {});
  onTestFinished(() => threads.close());
  const db = openSourceDatabase(sqlitePath);
  onTestFinished(() => void db.close());
  const reader = createSourceReader({
    ...{ db, table: "readings", timestampColumn: null, settings: SETTINGS },
    readRevision: () => DEFAULT_REVISION,
    now: () => 0,
  });
  return { folder, threads, here: () => [...readOn(reader, START)] };
}

async function all(outcomes: AsyncIterable<ReadOutcome>): Promise<ReadOutcome[]> {
  const list: ReadOutcome[] = [];
  for await (const outcome of outcomes) list.push(outcome);
  return list;
}

/** Buffers become plain arrays of bytes on their way. */
function plain(outcomes: readonly ReadOutcome[]): unknown {
  return structuredClone(outcomes);
}

test("another thread reads what this one reads, read by read", async () => {
  const { threads, here } = setUp();
  const expected = here();
  // A read ends before rows that are delivered already.
  const rows = expected.map((outcome) => outcome.kind === "rows" && outcome.sourceRows);
  expect(rows).toEqual([8_192, 8_999 - 8_192, 8_192, ROWS - 9_500 - 8_192]);
  expect(await all(threads.follow("readings", START))).toEqual(plain(expected));
});

test("another thread writes the bytes that this one writes", async () => {
  const { folder, threads, here } = setUp();
  const reads = here() as RowsRead[];
  const [query] = reads[0]?.context.query.routes ?? [];
  if (!query) throw new Error("no query");
  const write = async (open: typeof openObjectWriter, name: string) => {
    const path = join(folder, name);
    const writer: ObjectWriter = await open({
      path,
      columns: resultColumns(query.columns, query.rowwise),
      constants: [{ name: "_node_id", type: "string", value: "press-7" }],
      compression: "snappy",
      footer: { table: "readings" },
    });
    for (const { batches } of structuredClone(reads)) if (batches[0]) await writer.append(batches[0]);
    expect(writer.rows).toBe(ROWS - 501);
    return { finished: await writer.close(), bytes: readFileSync(path) };
  };
  expect(await write(threads.openWriter, "there.parquet")).toEqual(
    await write(openObjectWriter, "here.parquet"),
  );
});

test("what goes wrong there is thrown here, with what an operator can do", async () => {
  const { folder, threads } = setUp();
  await expect(all(threads.follow("nowhere", START))).rejects.toMatchObject({
    code: "SOURCE_TABLE_MISSING",
    hint: expect.stringContaining("Start the sensor"),
  });
  const options = { columns: [], compression: "snappy" as const, footer: {} };
  const path = join(folder, "missing", "object.parquet");
  await expect(threads.openWriter({ path, ...options })).rejects.toMatchObject({
    code: "ENOENT",
    syscall: "open",
  });
});

test("threads that were not needed end, and start again when they are", async () => {
  const { threads } = setUp();
  await all(threads.follow("readings", START));
  await threads.rest();
  await threads.rest();
  expect(await all(threads.follow("readings", START))).toHaveLength(4);
});

test("a thread that opens another file than the main thread has refuses to read it", async () => {
  const { threads } = setUp({ sourceFileId: "0:0" });
  await expect(all(threads.follow("readings", START))).rejects.toMatchObject({
    code: "SOURCE_UNREADABLE",
    message: expect.stringMatching(/sensor\.db was replaced while its rows were read/),
  });
});
