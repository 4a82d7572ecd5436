import Database from "better-sqlite3";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Stored } from "../query/tables.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";
import { readTable } from "../support/lake-reader.ts";
import { createRuns, timestamp } from "../support/typed-runs.ts";

/** Grouped by the C extension, where it is built, and by the SQL. */
describe.each(["on", "off"])("aggregated, with UPLOADER_NATIVE %s,", (native) => {
  beforeEach(() => {
    vi.stubEnv("UPLOADER_NATIVE", native);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  /** Numbers whose sums and squares stay within a double, of both kinds, and what is no number. */
  const measured = fc.oneof(
    fc.constantFrom<Stored>(
      null,
      "broken",
      "12",
      2n ** 62n,
      -(2n ** 62n),
      2n ** 63n - 1n,
      Infinity,
      -Infinity,
    ),
    fc.double({ min: -1e100, max: 1e100, noNaN: true }),
    fc.bigInt({ min: -1000n, max: 1000n }),
    fc.uint8Array({ maxLength: 3 }).map((bytes) => Buffer.from(bytes)),
  );
  const reading = fc.record({
    timestamp,
    sensor_id: fc.constantFrom<Stored>("a", "b", null),
    temperature: measured,
    count: measured,
    anomaly_flag: fc.constantFrom<Stored>(0n, 1n, null, "x"),
  });
  const windows: ReadonlyMap<unknown, string> = new Map<unknown, string>([
    ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000Z"],
    ["2026-01-01 00:00:59.999999", "2026-01-01T00:00:00.000Z"],
    ["2026-01-01T01:01:00+01:00", "2026-01-01T00:01:00.000Z"],
    ["1969-12-31T23:59:59.5Z", "1969-12-31T23:59:00.000Z"],
    // The column is TEXT, so that SQLite stores epochs as text.
    ["1767225661", "2026-01-01T00:01:00.000Z"],
    ["1767225600500", "2026-01-01T00:00:00.000Z"],
  ]);

  it("merged over all objects has the figures of the source, however it was split", async () => {
    const runs = createRuns("aggregated");
    const readings = fc.array(fc.array(reading, { minLength: 1, maxLength: 20 }), {
      minLength: 1,
      maxLength: 3,
    });
    await fc.assert(
      fc.asyncProperty(readings, fc.integer({ min: 1, max: 6 }), async (given, most) => {
        const { stored, objects, path } = await runs.ship(given, most, { aggregated: { window: "60s" } });
        expect(objects.length).toBeGreaterThanOrEqual(stored.size / most);
        const found = merge(await readTable(objects));
        expect([...found.keys()].toSorted()).toEqual([...figuresOf(path).keys()].toSorted());
        for (const [group, expected] of figuresOf(path)) {
          const { sums, ...exact } = found.get(group) as Figures;
          const { sums: expectedSums, ...expectedExact } = expected;
          expect(exact).toEqual(expectedExact);
          for (const [index, { value, size }] of expectedSums.entries())
            expect(Math.abs((sums[index]?.value ?? Number.NaN) - value)).toBeLessThanOrEqual(1e-12 * size);
        }
      }),
      fuzzRuns(15),
    );
  });

  interface Figures {
    readonly counts: readonly bigint[];
    /** Least and greatest of each metric. */
    readonly ends: readonly (number | null)[];
    /** Sums and sums of squares of each metric, with the size that rounding is relative to. */
    readonly sums: readonly { readonly value: number; readonly size: number }[];
  }
  const METRICS = ["temperature", "count"] as const;

  /** Straight from the rows. */
  function figuresOf(path: string): Map<string, Figures> {
    const db = new Database(path, { readonly: true });
    const rows = db.prepare("SELECT * FROM readings").all() as Record<string, unknown>[];
    db.close();
    const groups = groupBy(rows, (row) =>
      JSON.stringify([windows.get(row.timestamp) ?? null, row.sensor_id]),
    );
    return new Map(
      [...groups].map(([group, rows]) => {
        const numbers = METRICS.map((metric) =>
          rows.map((row) => row[metric]).filter((value): value is number => Number.isFinite(value)),
        );
        const sum = (values: readonly number[]) => ({
          value: values.reduce((sum, value) => sum + value, 0),
          size: values.reduce((sum, value) => sum + Math.abs(value), 0),
        });
        return [
          group,
          {
            counts: [
              rows.length,
              rows.filter((row) => row.anomaly_flag === 1).length,
              ...numbers.map(({ length }) => length),
            ].map(BigInt),
            ends: numbers.flatMap((values) =>
              values.length > 0 ? [Math.min(...values), Math.max(...values)] : [null, null],
            ),
            sums: numbers.flatMap((values) => [sum(values), sum(values.map((value) => value * value))]),
          },
        ];
      }),
    );
  }

  /** The figures of all objects put together, as the lake would. */
  function merge({ columns, rows }: Awaited<ReturnType<typeof readTable>>): Map<string, Figures> {
    const cells = rows.map((row) => Object.fromEntries(columns.map((column, index) => [column, row[index]])));
    const groups = groupBy(cells, (row) =>
      JSON.stringify([(row.window_start as Date | null)?.toISOString() ?? null, row.sensor_id]),
    );
    return new Map(
      [...groups].map(([group, rows]) => {
        const all = <Value>(column: string) => rows.map((row) => row[column] as Value);
        const count = (column: string) => all<bigint>(column).reduce((sum, value) => sum + value, 0n);
        const sum = (column: string) => ({
          value: all<number>(column).reduce((sum, value) => sum + value, 0),
          size: 0,
        });
        const end = (column: string, choose: (...values: number[]) => number) => {
          const values = all<number | null>(column).filter((value) => value !== null);
          return values.length > 0 ? choose(...values) : null;
        };
        return [
          group,
          {
            counts: [
              count("reading_count"),
              count("anomaly_count"),
              ...METRICS.map((metric) => count(`${metric}_count`)),
            ],
            ends: METRICS.flatMap((metric) => [
              end(`${metric}_min`, Math.min),
              end(`${metric}_max`, Math.max),
            ]),
            sums: METRICS.flatMap((metric) => [sum(`${metric}_sum`), sum(`${metric}_sum_sq`)]),
          },
        ];
      }),
    );
  }
});

function groupBy<Value>(values: readonly Value[], keyOf: (value: Value) => string): Map<string, Value[]> {
  const groups = new Map<string, Value[]>();
  for (const value of values) groups.set(keyOf(value), [...(groups.get(keyOf(value)) ?? []), value]);
  return groups;
}
