import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type {
  PipelineQuery,
  QuerySettings,
  RouteQuery,
  RowRange,
  SourceSchema,
  SqlValue,
} from "../../src/core/types.ts";
import { readColumnar } from "../../src/encode/read-columnar.ts";
import { QUERIES } from "../../src/query/query.ts";
import { hasColumnar, loadColumnarExtension } from "../../src/sqlite/columnar-extension.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { timestampMicros } from "../../src/sqlite/timestamp-micros.ts";
import { batchContents } from "../support/batch-contents.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";
import {
  ALL_ROWS,
  anyValue,
  createTable,
  loseCollation,
  openMemory,
  type Row,
  readRoute,
  SETTINGS,
  type Stored,
} from "./tables.ts";

const MINUTE = 60_000_000n;
const NEW_YEAR = 1_767_225_600_000_000n;

function settingsWith(aggregated: Partial<QuerySettings["aggregated"]>): QuerySettings {
  return { ...SETTINGS, aggregated: { ...SETTINGS.aggregated, ...aggregated } };
}

/** By the SQL and, where the C extension is built, by its function `grouped`; both have to find the same. */
function read(db: Connection, query: PipelineQuery, range: RowRange = ALL_ROWS): Row[] {
  const [route, ...others] = query.routes;
  if (!route || others.length > 0) throw new Error("aggregated has one route");
  const rows = readRoute(db, route, range);
  if (!hasColumnar(db) && !loadColumnarExtension(db)) return rows;
  const parameters = { ...route.parameters, ...range };
  const readInvalidText = () => null;
  const options = { columns: route.columns, rowwise: route.rowwise, maxBytes: 2 ** 30, readInvalidText };
  const grouped = readColumnar(db, { ...route, parameters }, options);
  if (grouped) expect(batchContents(grouped.batch)).toEqual(columnsOf(route, rows));
  return rows;
}

function columnsOf({ columns }: RouteQuery, rows: readonly Row[]): unknown[][] {
  return columns.map(({ name }) => rows.map((row) => row[name]));
}

function columnNames(schema: SourceSchema, settings = SETTINGS): string[] {
  return QUERIES.aggregated(schema, settings).routes[0]?.columns.map((column) => column.name) ?? [];
}

describe("aggregated", () => {
  it("has one row for each window and group, with the figures of its numbers", () => {
    const db = openMemory();
    const columns = {
      time: "TEXT",
      sensor_id: "TEXT",
      location: "TEXT",
      temperature: "REAL",
      anomaly_flag: "INTEGER",
    };
    const schema = createTable(db, columns, {
      timestampColumn: "time",
      rows: [
        ["2026-01-01T00:00:00Z", "a", "Berlin", 20, 0n],
        ["2026-01-01T00:00:59.999Z", "a", "Berlin", 22, 1n],
        ["2026-01-01T00:00:30Z", "a", "Berlin", "hot", 1n],
        ["2026-01-01T00:01:00Z", "a", "Berlin", null, null],
        ["2026-01-01T00:00:00Z", "a", null, 5, 0n],
        [null, "a", "Berlin", 1, 0n],
        ["never", "a", "Berlin", 3, 0n],
      ],
    });
    const query = QUERIES.aggregated(schema, SETTINGS);
    expect(query.routes[0]).toMatchObject({
      route: { type: "aggregated", rejected: false },
      rowwise: false,
      constants: [],
    });
    expect(query.routes[0]?.columns.map(({ name, type, source }) => `${name} ${type} ${source}`)).toEqual([
      "window_start timestamp null",
      "window_end timestamp null",
      "sensor_id string null",
      "location string null",
      "reading_count int64 null",
      "anomaly_count int64 null",
      "temperature_count int64 null",
      "temperature_sum double null",
      "temperature_min double null",
      "temperature_max double null",
      "temperature_avg double null",
      "temperature_sum_sq double null",
    ]);
    const figures = (...values: SqlValue[]) => values;
    expect(read(db, query).map((row) => Object.values(row))).toEqual([
      [null, null, "a", "Berlin", ...figures(2n, 0n, 2n, 4, 1, 3, 2, 10)],
      [NEW_YEAR, NEW_YEAR + MINUTE, "a", null, ...figures(1n, 0n, 1n, 5, 5, 5, 5, 25)],
      [NEW_YEAR, NEW_YEAR + MINUTE, "a", "Berlin", ...figures(3n, 2n, 2n, 42, 20, 22, 21, 884)],
      [
        NEW_YEAR + MINUTE,
        NEW_YEAR + 2n * MINUTE,
        "a",
        "Berlin",
        ...figures(1n, 0n, 0n, 0, null, null, null, 0),
      ],
    ]);
  });

  it.each([
    [60, "1969-12-31T23:59:59.999999Z", -MINUTE, 0n],
    [60, "1970-01-01T00:00:00Z", 0n, MINUTE],
    [60, "1969-12-31T23:59:00Z", -MINUTE, 0n],
    [0.25, "1970-01-01T00:00:00.6", 500_000n, 750_000n],
    [604_800, "0001-01-01", -62_135_596_800_000_000n, -62_135_337_600_000_000n],
    [60, "9999-12-31T23:59:59Z", 253_402_300_740_000_000n, 253_402_300_799_999_999n],
  ])("by windows of %s s, puts %s in the one from %s to %s", (windowSeconds, time, start, end) => {
    const db = openMemory();
    const schema = createTable(db, { time: "TEXT" }, { timestampColumn: "time", rows: [[time]] });
    const [row] = read(db, QUERIES.aggregated(schema, settingsWith({ windowSeconds })));
    expect([row?.window_start, row?.window_end]).toEqual([start, end]);
  });

  it("has no row for no rows", () => {
    const db = openMemory();
    const schema = createTable(db, { x: "TEXT" }, { rows: [["a"]] });
    const query = QUERIES.aggregated(schema, SETTINGS);
    expect(read(db, query)).toHaveLength(1);
    expect(read(db, query, { first: 2n, last: 9n })).toEqual([]);
  });

  it("counts every row in the window null where the table has no timestamp column", () => {
    const db = openMemory();
    const schema = createTable(db, { x: "REAL" }, { rows: [[1], [2]] });
    const query = QUERIES.aggregated(schema, SETTINGS);
    expect(query.firstOpenRow).toBeNull();
    expect(read(db, query)).toMatchObject([
      { window_start: null, window_end: null, reading_count: 2n, x_sum: 3 },
    ]);
  });

  it("groups by text that tells values apart, whatever the collation", () => {
    const db = openMemory();
    const schema = createTable(
      db,
      { g: "TEXT COLLATE NOCASE", h: "" },
      {
        rows: [
          ["a", 1n],
          ["A", 1n],
          ["a", "1"],
          ["a", 1],
          [Buffer.from("a"), null],
          [{ bytes: Buffer.from([0xff]) }, 0.5],
        ],
      },
    );
    const rows = read(db, QUERIES.aggregated(schema, settingsWith({ groupBy: ["G", "h", "g"] })));
    expect(rows.map(({ g, h, reading_count }) => `${g} ${h} ${reading_count}`).sort()).toEqual([
      "A 1 1",
      "X'61' null 1",
      "a 1 2",
      "a 1.0 1",
      "\ufffd 0.5 1",
    ]);
  });

  it("ships no group whose name is not valid text", () => {
    const db = openMemory();
    const schema = createTable(db, { g: "TEXT" }, { rows: [[{ bytes: Buffer.from([0x61, 0xff]) }]] });
    const [route] = QUERIES.aggregated(schema, settingsWith({ groupBy: ["g"] })).routes;
    const shipped = db.prepare(`WITH shipped (w1, w2, g, n) AS (${route?.sql}) SELECT hex(g) FROM shipped`);
    expect(shipped.pluck().get({ ...ALL_ROWS, ...route?.parameters })).toBe("61EFBFBD");
  });

  it.each(["", "TEXT COLLATE RTRIM", "INTEGER", "REAL", "NUMERIC", "BLOB"])(
    "takes values for what they are stored as, in a column declared %j",
    (declared) => {
      const db = openMemory();
      const values = [-3n, 0.5, "7", "x", "", Buffer.from("7"), Buffer.alloc(0), null];
      const schema = createTable(db, { x: declared }, { rows: values.map((value) => [value]) });
      const stored = db.prepare(`SELECT CAST(iif(typeof(x) = 'blob', quote(x), x) AS TEXT) AS x,
        count(*) FILTER (WHERE typeof(x) IN ('integer', 'real')) AS x_count FROM readings GROUP BY 1 ORDER BY 1`);
      const expected = stored.safeIntegers().all() as { x: string; x_count: bigint }[];
      loseCollation(db);
      const rows = read(db, QUERIES.aggregated(schema, settingsWith({ groupBy: ["x"], metrics: ["x"] })));
      expect(rows.map(({ x, x_count }) => ({ x, x_count }))).toEqual(expected);
    },
  );

  it("leaves infinities out, and squares integers without overflow", () => {
    const db = openMemory();
    const schema = createTable(
      db,
      { x: "" },
      {
        rows: [[Infinity], [-Infinity], [-(2n ** 63n)], [2n ** 62n], ["7"], [Buffer.from("7")]],
      },
    );
    const [row] = read(db, QUERIES.aggregated(schema, settingsWith({ metrics: ["x"] })));
    expect(row).toMatchObject({
      reading_count: 6n,
      x_count: 2n,
      x_sum: -(2 ** 62),
      x_min: -(2 ** 63),
      x_max: 2 ** 62,
      x_sum_sq: 2 ** 126 + 2 ** 124,
    });
  });

  it("chooses groups and metrics by their names and types", () => {
    const schema = createTable(
      openMemory(),
      {
        time: "INTEGER",
        device_id: "INTEGER",
        asset: "TEXT",
        location: "TEXT",
        temperature: "REAL",
        count: "INTEGER",
        status_code: "INTEGER",
        anomaly_flag: "INTEGER",
        synced: "INTEGER",
        is_indoor: "INTEGER",
        latitude: "REAL",
        longitude: "REAL",
        site_id: "INTEGER",
        ok: "BOOLEAN",
        model: "TEXT",
      },
      { timestampColumn: "time" },
    );
    expect(columnNames(schema).filter((name) => !/_(sum|min|max|avg|sum_sq)$/.test(name))).toEqual([
      "window_start",
      "window_end",
      "device_id",
      "location",
      "reading_count",
      "anomaly_count",
      "temperature_count",
      "count_count",
    ]);
    const chosen = columnNames(schema, settingsWith({ groupBy: ["MODEL"], metrics: ["latitude"] }));
    expect(chosen).toEqual([
      "window_start",
      "window_end",
      "model",
      "reading_count",
      "anomaly_count",
      "latitude_count",
      "latitude_sum",
      "latitude_min",
      "latitude_max",
      "latitude_avg",
      "latitude_sum_sq",
    ]);
  });

  it("finds no anomaly count without a flag", () => {
    const schema = createTable(openMemory(), { x: "REAL" });
    expect(columnNames(schema)).not.toContain("anomaly_count");
  });

  it("keeps names apart that figures and columns share", () => {
    const schema = createTable(openMemory(), {
      window_start: "TEXT",
      a: "REAL",
      a_count: "REAL",
      A_COUNT_SUM: "TEXT",
    });
    const names = columnNames(schema, settingsWith({ groupBy: ["window_start", "a_count", "a_count_sum"] }));
    expect(names).toContain("window_start_2");
    expect(names.filter((name) => name.startsWith("a_count"))).toEqual(["a_count", "a_count_2"]);
    expect(new Set(names.map((name) => name.toLowerCase())).size).toBe(names.length);
  });

  it.each<[Partial<QuerySettings["aggregated"]>, string]>([
    [{ groupBy: ["wind"] }, "Table readings has no column wind, which aggregated.group_by names."],
    [{ metrics: ["wind"] }, "Table readings has no column wind, which aggregated.metrics names."],
    [{ windowSeconds: 0 }, "aggregated.window is 0 seconds, which is not the length of a window."],
    [{ windowSeconds: Number.NaN }, "aggregated.window is NaN seconds, which is not the length of a window."],
  ])("refuses %o", (aggregated, message) => {
    const schema = createTable(openMemory(), { x: "REAL" });
    expect(() => QUERIES.aggregated(schema, settingsWith(aggregated))).toThrow(
      expect.objectContaining({ code: "CONFIG_INVALID", message }),
    );
  });

  it("manages 300 metrics, and says so where there are too many", () => {
    const db = openMemory();
    const wide = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`c${index}`, "REAL"]));
    const schema = createTable(db, wide(300), { rows: [Array(300).fill(2)] });
    expect(read(db, QUERIES.aggregated(schema, SETTINGS))[0]).toMatchObject({ c299_sum_sq: 4 });
    const tooWide = createTable(db, wide(400), { table: "wide" });
    expect(() => QUERIES.aggregated(tooWide, SETTINGS)).toThrow(/400 columns/);
  });
});

describe("the first open row", () => {
  function firstOpen(
    db: Connection,
    schema: SourceSchema,
    now: bigint,
    windowSeconds = 60,
    range = ALL_ROWS,
  ): bigint | null {
    const open = QUERIES.aggregated(schema, settingsWith({ windowSeconds })).firstOpenRow;
    if (!open) throw new Error("there is no such query");
    expect(open.windowSeconds).toBe(windowSeconds);
    return db
      .prepare(open.sql)
      .pluck()
      .get({ ...range, now, ...open.parameters }) as bigint | null;
  }

  it("is the first whose window ends after now", () => {
    const db = openMemory();
    const rows = [
      ["2026-01-01T00:01:00Z"],
      ["never"],
      [null],
      ["2026-01-01T00:02:30Z"],
      ["2026-01-01T00:00:00Z"],
    ];
    const schema = createTable(db, { time: "TEXT" }, { timestampColumn: "time", rows });
    expect(firstOpen(db, schema, NEW_YEAR)).toBe(1n);
    expect(firstOpen(db, schema, NEW_YEAR + 2n * MINUTE - 1n)).toBe(1n);
    expect(firstOpen(db, schema, NEW_YEAR + 2n * MINUTE)).toBe(4n);
    expect(firstOpen(db, schema, NEW_YEAR + 3n * MINUTE)).toBeNull();
    expect(firstOpen(db, schema, NEW_YEAR, 60, { first: 2n, last: 4n })).toBe(4n);
    expect(firstOpen(db, schema, NEW_YEAR, 60, { first: 6n, last: 9n })).toBeNull();
  });

  it("agrees with the windows that are shipped", () => {
    const micros = fc.bigInt({ min: -200n, max: 200n }).map((seconds) => seconds * 1_000_000n + 7n);
    fc.assert(
      fc.property(
        fc.array(micros, { minLength: 1, maxLength: 5 }),
        micros,
        fc.constantFrom(60, 7, 0.5),
        (times, now, seconds) => {
          const db = openMemory();
          const rows = times.map((time) => [Number(time) / 1e6]);
          const schema = createTable(db, { time: "REAL" }, { timestampColumn: "time", rows });
          const query = QUERIES.aggregated(schema, settingsWith({ windowSeconds: seconds }));
          const isOpen = (id: bigint) => {
            const [row] = read(db, query, { first: id, last: id });
            return (row?.window_end as bigint) > now;
          };
          const ids = times.map((_, index) => BigInt(index + 1));
          expect(firstOpen(db, schema, now, seconds)).toBe(ids.find(isOpen) ?? null);
          db.close();
        },
      ),
    );
  });
});

describe("merged figures", () => {
  const KEY = ["window_start", "window_end", "sensor_id", "location"];

  /** Merges as the lake does: nulls equal, counts and sums added, least of the minima, greatest of the maxima. */
  function merge(rows: readonly Row[]): Map<string, Record<string, SqlValue>> {
    const merged = new Map<string, Record<string, SqlValue>>();
    for (const row of rows) {
      const key = KEY.map((name) => `${typeof row[name]} ${row[name]}`).join("\n");
      const known = merged.get(key);
      if (!known) {
        merged.set(key, { ...row });
        continue;
      }
      for (const [name, value] of Object.entries(row))
        known[name] = mergeFigure(name, known[name] as SqlValue, value);
    }
    return merged;
  }

  function mergeFigure(name: string, one: SqlValue, other: SqlValue): SqlValue {
    if (KEY.includes(name) || name.endsWith("_avg")) return one;
    if (name.endsWith("_count")) return (one as bigint) + (other as bigint);
    if (name.endsWith("_sum") || name.endsWith("_sum_sq")) return (one as number) + (other as number);
    if (one === null || other === null) return one ?? other;
    return name.endsWith("_min")
      ? Math.min(one as number, other as number)
      : Math.max(one as number, other as number);
  }

  const time = fc.oneof(
    fc.constantFrom<Stored>(
      null,
      "never",
      "2026-01-01T00:00:00Z",
      "2026-01-01 00:00:59.9",
      "2026-01-01T00:01:00+00:00",
      "1969-12-31T23:59:59Z",
    ),
    fc.constantFrom<Stored>(1_767_225_601n, 1_767_225_601_000n, 1_767_225_660.5, "1767225601"),
    anyValue,
  );
  const group = fc.oneof(fc.constantFrom<Stored>("a", "A", null, 1n, 1, "1"), anyValue);
  // Beyond 1e150 the squares leave the range of doubles, where no order of adding is like another.
  const moderate = anyValue.filter(
    (value) => typeof value !== "number" || !(Math.abs(value) > 1e150) || !Number.isFinite(value),
  );
  const reading = fc.tuple(
    time,
    group,
    fc.constantFrom<Stored>("Berlin", null),
    moderate,
    moderate,
    fc.constantFrom<Stored>(0n, 1n, null, "x"),
  );
  const columns = {
    time: "DATETIME",
    sensor_id: "",
    location: "TEXT",
    x: "",
    y: "REAL",
    anomaly_flag: "INTEGER",
  };

  it("are those of one extraction, however its rows are split", () => {
    const readings = fc.array(reading, { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(readings, fc.array(fc.nat({ max: 30 })), (rows, cuts) => {
        const db = openMemory();
        const schema = createTable(db, columns, { timestampColumn: "time", rows });
        const query = QUERIES.aggregated(schema, settingsWith({ metrics: ["x", "y"] }));
        const starts = [...new Set([0, ...cuts])].sort((one, other) => one - other);
        const parts = starts.flatMap((start, index) =>
          read(db, query, { first: BigInt(start + 1), last: BigInt(starts[index + 1] ?? rows.length) }),
        );
        const whole = read(db, query);
        const merged = merge(parts);
        // Bytes that are not UTF-8 may give two groups one name; then both sides have to be merged.
        const expected = merge(whole);
        expect([...merged.keys()].sort()).toEqual([...expected.keys()].sort());
        const size = Math.max(
          ...rows
            .flat()
            .map((value) =>
              typeof value === "bigint" || Number.isFinite(value) ? Math.abs(Number(value)) : 0,
            ),
        );
        for (const [key, figures] of expected) {
          const found = merged.get(key) ?? {};
          for (const [name, value] of Object.entries(figures)) {
            if (name.endsWith("_avg")) continue;
            const scale = name.endsWith("_sum") ? size : name.endsWith("_sum_sq") ? size * size : 0;
            if (scale > 0)
              expect(Math.abs((found[name] as number) - (value as number))).toBeLessThanOrEqual(
                scale * rows.length * 1e-12,
              );
            else expect(found[name], name).toEqual(value);
          }
        }
        db.close();
      }),
      fuzzRuns(300),
    );
  });

  it("count every row once, and its numbers as a model does", () => {
    fc.assert(
      fc.property(fc.array(reading, { minLength: 1, maxLength: 20 }), (rows) => {
        const db = openMemory();
        const schema = createTable(db, columns, { timestampColumn: "time", rows });
        const shipped = read(db, QUERIES.aggregated(schema, settingsWith({ metrics: ["x"], groupBy: [] })));
        const stored = db.prepare("SELECT time, x, anomaly_flag FROM readings").raw().all() as SqlValue[][];
        const model = new Map<bigint | null, SqlValue[][]>();
        for (const row of stored) {
          const micros = timestampMicros(row[0]);
          const start = micros === null ? null : micros - (((micros % MINUTE) + MINUTE) % MINUTE);
          const clamped =
            start !== null && start < -62_135_596_800_000_000n ? -62_135_596_800_000_000n : start;
          model.set(clamped, [...(model.get(clamped) ?? []), row]);
        }
        expect(shipped.map((row) => row.window_start)).toHaveLength(model.size);
        for (const row of shipped) {
          const readings = model.get(row.window_start as bigint | null) ?? [];
          const numbers = readings
            .map(([, x]) => x)
            .filter((x) => typeof x === "bigint" || (typeof x === "number" && Number.isFinite(x)))
            .map((x) => Number(x) + 0);
          expect(row.reading_count).toBe(BigInt(readings.length));
          expect(row.anomaly_count).toBe(BigInt(readings.filter(([, , flag]) => flag === 1n).length));
          expect(row.x_count).toBe(BigInt(numbers.length));
          expect(row.x_min).toBe(numbers.length > 0 ? Math.min(...numbers) : null);
          expect(row.x_max).toBe(numbers.length > 0 ? Math.max(...numbers) : null);
          const sum = numbers.reduce((total, number) => total + number, 0);
          const size = numbers.reduce((total, number) => total + Math.abs(number), 0);
          expect(Math.abs((row.x_sum as number) - sum)).toBeLessThanOrEqual(size * 1e-12);
        }
        db.close();
      }),
      fuzzRuns(200),
    );
  });
});
