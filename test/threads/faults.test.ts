import { readdirSync, readlinkSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { UploaderError } from "../../src/core/errors.ts";
import type { QuerySettings } from "../../src/core/types.ts";
import type { CreateFile, ObjectFile } from "../../src/encode/object-writer.ts";
import { type ExtractorOptions, extract } from "../../src/extract.ts";
import { openSource } from "../../src/outbox/sources.ts";
import { createStateFolders, openState } from "../../src/outbox/state.ts";
import { DEFAULT_REVISION } from "../../src/pipeline/revision.ts";
import { createSourceReader } from "../../src/read.ts";
import { openSourceDatabase } from "../../src/source-database.ts";
import { noteFile } from "../../src/sqlite/file-identity.ts";
import { createExtractionThreads } from "../../src/threads/extraction-threads.ts";
import { duckdb } from "../support/lake-reader.ts";
import { appendReadings, openReadings } from "../support/readings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const SETTINGS: QuerySettings = {
  emergency: { filter: { anomaly_flag: 1 } },
  schematized: { schemas: {}, enrich: {} },
  aggregated: { windowSeconds: 60, groupBy: null, metrics: null },
};

/** More than two reads. */
const ROWS = 20_000;

afterEach(() => {
  vi.unstubAllEnvs();
});

/** What fails, at a step of core/failpoints.ts in the encoder thread, or at the same call of a file here. */
const failing = (step: keyof ObjectFile | "open", code: string): CreateFile => {
  const fail = async () => {
    const error = new Error(`${code}: told by UPLOADER_FAILPOINT`);
    throw Object.assign(error, { code, syscall: step });
  };
  return async (path) => {
    if (step === "open") await fail();
    const file = await open(path, "wx");
    return {
      write: (chunk, offset) => (step === "write" ? fail() : file.write(chunk, offset)) as Promise<never>,
      sync: () => (step === "sync" ? fail() : file.sync()),
      close: () => file.close(),
    };
  };
};

test.each<[string, CreateFile]>([
  ["before-open:EACCES", failing("open", "EACCES")],
  ["before-write:ENOSPC", failing("write", "ENOSPC")],
  ["before-file-sync:EIO", failing("sync", "EIO")],
])(
  "%s in the encoder thread is the error that it is here, and leaves nothing behind",
  async (fault, createFile) => {
    const { options, threads, expectNothingOpen, expectShipped } = setUp();
    const here = await run({ ...options, disk: { createFile, syncFolder: async () => {} } });
    expect(here).toBeInstanceOf(UploaderError);
    vi.stubEnv("UPLOADER_FAILPOINT", fault);
    const there = await run({ ...options, threads });
    expect(there).toBeInstanceOf(UploaderError);
    expect(there).toMatchObject({ code: "STATE_UNWRITABLE" });
    expect(seen(there)).toEqual(seen(here));
    await expectNothingOpen();
    vi.unstubAllEnvs();
    await expectShipped(await run({ ...options, threads }));
  },
);

test.each(["after-open:exit", "before-write:exit", "before-file-sync:exit", "after-file-sync:exit"])(
  "an encoder thread that ends %s fails the extraction, leaves nothing behind, and is started again",
  async (fault) => {
    const { options, threads, expectNothingOpen, expectShipped } = setUp();
    vi.stubEnv("UPLOADER_FAILPOINT", fault);
    expect(await run({ ...options, threads })).toMatchObject({
      constructor: UploaderError,
      code: "THREAD_FAILED",
      message: "The thread encoder-thread has ended: it exited with code 1.",
    });
    await expectNothingOpen();
    vi.unstubAllEnvs();
    await expectShipped(await run({ ...options, threads }));
  },
);

test("an append that fails while the next batch waits is thrown by the next call, and the writer can be given up", async () => {
  const { folder, threads, expectNothingOpen } = setUp();
  vi.stubEnv("UPLOADER_FAILPOINT", "before-write:ENOSPC");
  const writer = await threads.openWriter(writerOptions(join(folder, "full.parquet")));
  const appendAll = async () => {
    // Larger than a row group, whatever it is compressed to.
    for (let batch = 0; batch < 12; batch++) await writer.append(noise());
  };
  await expect(appendAll()).rejects.toMatchObject({ code: "ENOSPC", syscall: "before-write" });
  await writer.abort();
  await expectNothingOpen();
});

test("a writer that is given up closes its file, and the thread goes on", async () => {
  const { folder, threads, expectNothingOpen } = setUp();
  const writer = await threads.openWriter(writerOptions(join(folder, "given-up.parquet")));
  await writer.append(noise());
  await writer.abort();
  await expectNothingOpen();
  const next = await threads.openWriter(writerOptions(join(folder, "next.parquet")));
  await next.append(noise());
  expect(await next.close()).toMatchObject({ rows: 1_000 });
});

test("a batch that cannot be sent fails the writer, which can be given up", async () => {
  const { folder, threads, expectNothingOpen } = setUp();
  const writer = await threads.openWriter(writerOptions(join(folder, "unsent.parquet")));
  const batch = noise();
  await writer.append({ ...batch, columns: [{ ...batch.columns[0], unsent: () => {} } as never] });
  await expect(writer.close()).rejects.toMatchObject({ code: "THREAD_FAILED" });
  await writer.abort();
  await expectNothingOpen();
});

test("a source that the reader thread cannot open is the error that it is here, and is opened later", async () => {
  const { data, rest } = setUp();
  const sqlitePath = join(temporaryFolder(), "later.db");
  const threads = createExtractionThreads({ ...data, sqlitePath, sourceFileId: null }, () => {});
  onTestFinished(() => threads.close());
  const read = async () => {
    const kinds: string[] = [];
    for await (const { kind } of threads.follow("readings", rest)) kinds.push(kind);
    return kinds;
  };
  const here = await Promise.resolve(sqlitePath)
    .then(openSourceDatabase)
    .catch((error: unknown) => error);
  const there = await read().catch((error: unknown) => error);
  expect(there).toBeInstanceOf(UploaderError);
  expect(there).toMatchObject({ code: "SOURCE_MISSING" });
  expect(seen(there)).toEqual(seen(here));
  appendReadings(openReadings(sqlitePath), 10);
  await expect(read()).rejects.toMatchObject({ code: "SOURCE_UNREADABLE" }); // another file than the main thread's
});

function setUp() {
  const folder = temporaryFolder();
  const sqlitePath = join(folder, "sensor.db");
  appendReadings(openReadings(sqlitePath), ROWS);
  const data = {
    ...{ sqlitePath, pipelineDbPath: null, timestampColumn: null, queries: SETTINGS },
    sourceFileId: noteFile(sqlitePath).id,
    lastKnownRevision: null,
  };
  const threads = createExtractionThreads(data, () => {});
  const db = openSourceDatabase(sqlitePath);
  const state = openState(createStateFolders(join(folder, "state")), 0);
  onTestFinished(async () => {
    await threads.close();
    state.close();
    db.close();
  });
  const buckets = {
    raw: "raw",
    schematized: "schematized",
    aggregated: "aggregated",
    emergency: "emergency",
  };
  const destination = { place: `directory ${folder}`, buckets };
  openSource(state, "edge-7", "readings", destination);
  const options: ExtractorOptions = {
    ...{ state, node: "edge-7", table: "readings", destination, compression: "snappy", maxRows: 1_000_000 },
    reader: createSourceReader({
      ...{ db, table: "readings", timestampColumn: null, settings: SETTINGS },
      readRevision: () => DEFAULT_REVISION,
      now: () => 0,
    }),
    clock: { now: () => Date.parse("2026-02-03T04:05:06Z") },
  };
  const rest = {
    ...{ cursor: null, positions: [], footing: null, hold: null, context: null },
    maxRows: 1_000_000,
    shipOpenWindows: true,
  };
  return {
    ...{ folder, data, threads, options, rest },
    async expectNothingOpen() {
      expect(readdirSync(state.files.outbox)).toEqual([]);
      if (process.platform === "linux")
        expect(openFiles().filter((path) => /\.parquet/.test(path))).toEqual([]);
    },
    async expectShipped(outcome: Awaited<ReturnType<typeof run>>) {
      if (!("objects" in outcome)) throw outcome;
      expect(outcome).toMatchObject({ kind: "extracted", sequence: 1, rows: ROWS });
      const path = join(state.files.outbox, outcome.objects[0]?.file ?? "");
      const [counted] = await duckdb(`SELECT count(DISTINCT id) AS rows FROM read_parquet('${path}')`);
      expect(counted).toEqual({ rows: BigInt(ROWS) });
    },
  };
}

function run(options: ExtractorOptions) {
  const limits = { targetBytes: 50 * 2 ** 20, shipOpenWindows: true, signal: new AbortController().signal };
  return extract(options, limits).catch((error: Error) => error);
}

/** What an operator sees of an error. */
function seen(error: unknown) {
  const { code, message, hint } = error as UploaderError;
  return { code, message, hint };
}

function openFiles(): string[] {
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(join("/proc/self/fd", fd))];
    } catch {
      return []; // the listing's own
    }
  });
}

const writerOptions = (path: string) => ({
  ...{ path, footer: {}, compression: "none" as const },
  columns: [{ name: "noise", type: "binary" as const }],
});

/** A thousand values of 8 KB, no two alike. */
function noise() {
  const values = new Uint8Array(8_192_000);
  for (let at = 0; at < values.length; at += 65_536) crypto.getRandomValues(values.subarray(at, at + 65_536));
  const offsets = Int32Array.from({ length: 1_001 }, (_, row) => row * 8_192);
  return {
    rows: 1_000,
    columns: [{ type: "binary" as const, nullCount: 0, validity: null, values, offsets }],
  };
}
