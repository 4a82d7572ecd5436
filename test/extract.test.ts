import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import type { QuerySettings, Revision } from "../src/core/types.ts";
import { type ExtractOutcome, type ExtractorOptions, extract } from "../src/extract.ts";
import { nextWaiting } from "../src/outbox/objects.ts";
import { openSource, readSource, type SourceState } from "../src/outbox/sources.ts";
import { createStateFolders, openState } from "../src/outbox/state.ts";
import { DEFAULT_REVISION } from "../src/pipeline/revision.ts";
import { createSourceReader, type SourceReader } from "../src/read.ts";
import { openSourceDatabase } from "../src/source-database.ts";
import { duckdb } from "./support/lake-reader.ts";
import { appendReadings, openForTest, openReadings } from "./support/readings.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const SETTINGS: QuerySettings = {
  emergency: { filter: { anomaly_flag: 1 } },
  schematized: { schemas: {}, enrich: {} },
  aggregated: { windowSeconds: 60, groupBy: null, metrics: null },
};

/** More than one read takes. */
const ROWS = 8_200;

describe("an extraction", () => {
  it("that fails between two reads leaves nothing behind, and the next one has every row", async () => {
    const { options, state, source } = setUp();
    const { reader } = options;
    let reads = 0;
    const failing: SourceReader = {
      ...reader,
      read(request) {
        if (++reads === 2) throw new Error("the cable is out");
        return reader.read(request);
      },
    };
    await expect(run({ ...options, reader: failing })).rejects.toThrow("the cable is out");
    expect(reads).toBe(2);
    expect(readdirSync(state.files.outbox)).toEqual([]);
    expect(source()).toMatchObject({ cursor: null, nextSequence: 1 });
    expect(nextWaiting(state, source(), "ordinary")).toBeNull();

    expect(await run(options)).toMatchObject({ kind: "extracted", sequence: 1, rows: ROWS });
    expect(source()).toMatchObject({ cursor: BigInt(ROWS), nextSequence: 2 });
  });

  it.each(["SQLITE_BUSY", "SQLITE_FULL"])(
    "whose commit meets %s leaves nothing in the outbox, however often it is tried",
    async (code) => {
      const { options, state, source } = setUp(50);
      const small = { ...options, maxRows: 1 };
      const files = () => readdirSync(state.files.outbox).length;
      if (code === "SQLITE_BUSY") {
        const other = openForTest(state.files.database);
        other.exec("BEGIN IMMEDIATE");
        state.db.pragma("busy_timeout = 0");
      } else state.db.pragma(`max_page_count = ${state.db.pragma("page_count", { simple: true })}`);
      let failures = 0;
      while (failures < 3) {
        try {
          await run(small);
        } catch (error) {
          expect(error).toMatchObject({ code: "STATE_UNWRITABLE", cause: { code } });
          failures++;
        }
        expect(files()).toBe(source().nextSequence - 1);
      }
    },
  );

  it("ends where the schema has changed, so that no object mixes two", async () => {
    const { options, db, columnsOf } = setUp();
    const reader = changedAfterFirstRead(options.reader, () =>
      db.exec("ALTER TABLE readings ADD COLUMN humidity REAL DEFAULT 50"),
    );
    const outcomes = [await run({ ...options, reader }), await run({ ...options, reader })];
    expect(outcomes).toMatchObject([{ rows: 8_192 }, { rows: ROWS - 8_192 }]);
    const [before = [], after = []] = await Promise.all(outcomes.map(columnsOf));
    expect(before).not.toContain("humidity");
    expect(after.filter((column) => !before.includes(column))).toEqual(["humidity"]);
  });

  it("ends where the revision has changed, so that no object mixes two", async () => {
    const { options, setRevision } = setUp();
    const reader = changedAfterFirstRead(options.reader, () =>
      setRevision({ ...DEFAULT_REVISION, id: 7, type: "emergency" }),
    );
    const outcomes = [await run({ ...options, reader }), await run({ ...options, reader })];
    expect(outcomes).toMatchObject([
      { rows: 8_192, objects: [{ pipelineType: "raw", revisionId: 0, rows: 8_192 }] },
      {
        rows: ROWS - 8_192,
        objects: [
          { pipelineType: "emergency", revisionId: 7, route: { type: "raw" } },
          { pipelineType: "emergency", revisionId: 7, route: { type: "emergency" } },
        ],
      },
    ]);
  });

  it("shares the rows of a read between its routes, though their bytes end the read", async () => {
    const { options, db, state, setRevision } = setUp(0);
    // Of 2 MiB each, so that eight fill a read: the flags make either route the one that is filled first.
    const flags = [..."0000001011111111100110"].map(Number);
    for (const anomaly_flag of flags) appendReadings(db, 1, { location: "x".repeat(2 ** 21), anomaly_flag });
    setRevision({ ...DEFAULT_REVISION, id: 7, type: "emergency" });
    const outcome = await run(options);
    if (outcome.kind !== "extracted") throw new Error(outcome.kind);
    const shipped = await Promise.all(
      outcome.objects.map(async ({ route, file }) => {
        const path = join(state.files.outbox, file);
        const rows = await duckdb(
          `SELECT _rowid AS rowid, anomaly_flag, length(location) AS long FROM '${path}'`,
        );
        return rows.map((row) => ({ rowid: row.rowid, ...row, type: route.type }));
      }),
    );
    expect(shipped.flat().toSorted((a, b) => Number(a.rowid) - Number(b.rowid))).toEqual(
      flags.map((flag, index) => ({
        rowid: BigInt(index + 1),
        anomaly_flag: BigInt(flag),
        long: 2n ** 21n,
        type: flag === 1 ? "emergency" : "raw",
      })),
    );
  });

  it("ends at the most rows an object may have, to the row", async () => {
    const { options } = setUp();
    const reads: number[] = [];
    for (;;) {
      const outcome = await run({ ...options, maxRows: 3_000 });
      if (outcome.kind !== "extracted") break;
      reads.push(outcome.rows);
    }
    expect(reads).toEqual([3_000, 3_000, 2_200]);
  });
});

function setUp(rows = ROWS) {
  const folder = temporaryFolder();
  const path = join(folder, "sensor.db");
  const db = openReadings(path);
  appendReadings(db, rows);
  const sourceDb = openSourceDatabase(path);
  const state = openState(createStateFolders(join(folder, "state")), 0);
  onTestFinished(() => {
    state.close();
    sourceDb.close();
  });
  const buckets = {
    raw: "raw",
    schematized: "schematized",
    aggregated: "aggregated",
    emergency: "emergency",
  };
  const destination = { place: `directory ${folder}`, buckets };
  openSource(state, "edge-7", "readings", destination);
  let revision: Revision = DEFAULT_REVISION;
  const options: ExtractorOptions = {
    state,
    reader: createSourceReader({
      db: sourceDb,
      table: "readings",
      timestampColumn: null,
      settings: SETTINGS,
      readRevision: () => revision,
      now: () => 0,
    }),
    node: "edge-7",
    table: "readings",
    destination,
    compression: "snappy",
    maxRows: 1_000_000,
    clock: { now: () => Date.parse("2026-02-03T04:05:06Z") },
  };
  return {
    db,
    state,
    options,
    source: () => readSource(state.db, "edge-7", "readings") as SourceState,
    setRevision: (next: Revision) => {
      revision = next;
    },
    /** The columns of the only object of an extraction, which still waits in the outbox. */
    async columnsOf(outcome: ExtractOutcome): Promise<unknown[]> {
      if (outcome.kind !== "extracted") throw new Error(`nothing was extracted: ${outcome.kind}`);
      const file = join(state.files.outbox, outcome.objects[0]?.file ?? "");
      return (await duckdb(`DESCRIBE SELECT * FROM read_parquet('${file}')`)).map((row) => row.column_name);
    },
  };
}

function run(options: ExtractorOptions): Promise<ExtractOutcome> {
  const limits = { targetBytes: 50 * 2 ** 20, shipOpenWindows: true, signal: new AbortController().signal };
  return extract(options, limits);
}

/** Does something else between the first and the second read, as other processes might. */
function changedAfterFirstRead(reader: SourceReader, change: () => void): SourceReader {
  let reads = 0;
  return {
    ...reader,
    read(request) {
      if (++reads === 2) change();
      return reader.read(request);
    },
  };
}
