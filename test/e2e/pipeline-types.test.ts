import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PipelineType } from "../../src/core/types.ts";
import { anyValue, type Stored } from "../query/tables.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";
import {
  createRuns,
  type Row,
  readAsStored,
  readCells,
  STORED_NAMES,
  timestamp,
} from "../support/typed-runs.ts";

const row: fc.Arbitrary<Row> = fc.record({
  timestamp,
  sensor_id: fc.constantFrom<Stored>("a", "b", "", null),
  temperature: fc.oneof(fc.constantFrom<Stored>(20.5, 80.5, 100n, "80.5", "broken", null), anyValue),
  level: anyValue,
  count: fc.oneof(fc.constantFrom<Stored>(1n, 2n, null), anyValue),
  anomaly_flag: fc.oneof(fc.constantFrom<Stored>(0n, 1n, null, 2n, "1", 1), anyValue),
  note: anyValue,
});

/** Rows written between runs, and the most rows of an object: together they make the splits. */
const batches = fc.array(fc.array(row, { minLength: 1, maxLength: 12 }), { minLength: 1, maxLength: 3 });
const maxBatchRows = fc.integer({ min: 1, max: 6 });

describe("schematized", () => {
  const schema = {
    version: "7",
    required: ["sensor_id"],
    properties: {
      timestamp: { type: "timestamp" },
      sensor_id: { type: "string", pattern: "^[a-z]?$" },
      temperature: { type: "number", maximum: 90 },
      count: { type: "integer" },
    },
  };
  const configurations = fc.constantFrom({}, { schematized: { schema } });

  it("ships every row once, typed or rejected, and the rejected ones as they are stored", async () => {
    const runs = createRuns("schematized");
    const seen = { accepted: 0, rejected: 0 };
    await fc.assert(
      fc.asyncProperty(batches, maxBatchRows, configurations, async (given, most, configuration) => {
        const { stored, objects } = await runs.ship(given, most, configuration);
        const rejected = objects.filter(({ name }) => name.route.rejected);
        const accepted = objects.filter(({ name }) => !name.route.rejected);
        expect(new Set(objects.map(({ name }) => name.route.type))).toEqual(new Set(["schematized"]));

        const failed = await readAsStored(rejected);
        expect(new Map(failed.map(({ rowid, cells }) => [rowid, cells]))).toEqual(
          new Map([...stored].filter(([rowid]) => failed.some((row) => row.rowid === rowid))),
        );
        for (const { extra } of failed)
          for (const { column, error } of JSON.parse(extra._errors as string))
            expect([STORED_NAMES.includes(column), typeof error]).toEqual([true, "string"]);

        const passed = await readCells(accepted);
        seen.rejected += failed.length;
        seen.accepted += passed.length;
        const shipped = [...failed.map(({ rowid }) => rowid), ...passed.map(({ rowid }) => rowid)];
        expect(shipped.toSorted(byNumber)).toEqual([...stored.keys()]);
        for (const { rowid, cells } of passed) {
          const [id, micros, sensor, temperature] = stored.get(rowid) as string[];
          expect(`integer ${cells.id}`).toBe(id);
          expect(cells._rescued === null || !String(cells._rescued).includes("temperature")).toBe(true);
          expect(cells.sensor_id === null ? "null" : `text ${hex(cells.sensor_id as string)}`).toBe(sensor);
          expect(cells.timestamp === null).toBe(micros === "null");
          if (temperature?.startsWith("real"))
            expect(`real ${bits(cells.temperature as number)}`).toBe(temperature);
        }
      }),
      fuzzRuns(15),
    );
    for (const rows of Object.values(seen)) expect(rows).toBeGreaterThan(0);
  });
});

describe("emergency", () => {
  /** Filters, and the same in SQL, written by hand. */
  const filters = fc.constantFrom<[filter: unknown, sql: string]>(
    [
      undefined,
      "typeof(anomaly_flag) <> 'blob' AND CAST(anomaly_flag AS NUMERIC) = 1 AND anomaly_flag = '1'",
    ],
    [{ sensor_id: "a" }, "sensor_id = 'a'"],
    [{ sensor_id: null }, "sensor_id IS NULL"],
    [{ $not: { sensor_id: { ">": "a" } } }, "NOT (sensor_id > 'a')"],
    [{ sensor_id: { in: ["a", null] } }, "sensor_id = 'a' OR sensor_id IS NULL"],
    [{ missing: 1 }, "1"],
  );

  it("ships every row once, as it is stored, to emergency or to raw", async () => {
    const runs = createRuns("emergency");
    const seen = { emergency: 0, raw: 0 };
    await fc.assert(
      fc.asyncProperty(batches, maxBatchRows, filters, async (given, most, [filter, sql]) => {
        const { stored, objects, matching } = await runs.ship(
          given,
          most,
          filter === undefined ? {} : { emergency: { filter } },
          filter === undefined ? undefined : sql,
        );
        const ofType = (type: PipelineType) => objects.filter(({ name }) => name.route.type === type);
        const emergency = await readAsStored(ofType("emergency"));
        const raw = await readAsStored(ofType("raw"));
        seen.emergency += emergency.length;
        seen.raw += raw.length;
        const shipped = [...emergency, ...raw].sort((a, b) => byNumber(a.rowid, b.rowid));
        expect(shipped.map(({ rowid }) => rowid)).toEqual([...stored.keys()]);
        expect(new Map(shipped.map(({ rowid, cells }) => [rowid, cells]))).toEqual(stored);
        if (matching) expect(emergency.map(({ rowid }) => rowid).toSorted(byNumber)).toEqual(matching);
      }),
      fuzzRuns(15),
    );
    for (const rows of Object.values(seen)) expect(rows).toBeGreaterThan(0);
  });

  it("takes a flag of 1 for an emergency by default, and a null for none", async () => {
    const rows = ([1n, 0n, null, 2n] as const).map((anomaly_flag) => ({ anomaly_flag }));
    const { objects } = await createRuns("emergency").ship([rows], 100, {});
    const names = objects.map(({ name }) => [name.route.type, name.part, name.parts, name.rows]);
    expect(names.toSorted()).toEqual([
      ["emergency", 2, 2, 1],
      ["raw", 1, 2, 3],
    ]);
  });
});

function byNumber(one: bigint, other: bigint): number {
  return one < other ? -1 : Number(one > other);
}

function hex(text: string): string {
  return Buffer.from(text).toString("hex");
}

function bits(value: number): string {
  const buffer = Buffer.alloc(8);
  buffer.writeDoubleBE(value);
  return buffer.toString("hex");
}
