import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { ColumnType, SqlValue } from "../../src/core/types.ts";
import type { ColumnBatch } from "../../src/encode/column-batch.ts";
import { createColumnBuilder } from "../../src/encode/column-builders.ts";
import { createNativeEncoder } from "../../src/encode/native-encoder.ts";
import type { ParquetEncoder, ParquetEncoderOptions } from "../../src/encode/parquet-encoder.ts";
import { createWasmEncoder } from "../../src/encode/wasm-encoder.ts";
import { openMemoryDatabase } from "../../src/sqlite/open.ts";
import { duckdb } from "../support/lake-reader.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { loadNative, nativeSuite } from "./native-suite.ts";

/** The values of a column: those of a pool, one for each row by its number. */
interface Values {
  readonly type: ColumnType;
  readonly pool: readonly Exclude<SqlValue, null>[];
  /** Rows that have the same value, one after another. */
  readonly run: number;
  /** One row in so many is null; 0: none is. */
  readonly nulls: number;
  readonly dictionary: boolean;
}

const integers = fc.oneof(
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.bigInt({ min: -300n, max: 300n }),
);
/** Times that DuckDB shows. */
const times = fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n });
const doubles = fc.double();
const texts = fc
  .tuple(fc.string({ unit: "binary", maxLength: 30 }), fc.constantFrom(1, 1, 1, 3, 40))
  .map(([text, times]) => text.replaceAll("\0", "").repeat(times));
const blobs = fc
  .tuple(fc.uint8Array({ maxLength: 40 }), fc.constantFrom(1, 1, 1, 100))
  .map(([bytes, times]) => Buffer.concat(Array.from({ length: times }, () => bytes)));

function valuesOf(type: ColumnType, value: fc.Arbitrary<Exclude<SqlValue, null>>): fc.Arbitrary<Values> {
  return fc.record({
    type: fc.constant(type),
    pool: fc.array(value, { minLength: 1, maxLength: 200, size: "max" }),
    run: fc.constantFrom(1, 1, 2, 7, 8, 9, 500),
    nulls: fc.constantFrom(0, 0, 1, 2, 3, 17),
    dictionary: fc.boolean(),
  });
}

const columns = fc.tuple(
  valuesOf("int64", integers),
  valuesOf("timestamp", times),
  valuesOf("double", doubles),
  valuesOf("boolean", fc.constantFrom(0n, 1n)),
  valuesOf("string", texts),
  valuesOf("binary", blobs),
);

const batchRows = fc.array(fc.constantFrom(1, 7, 8, 9, 100, 1_000, 8_192), { minLength: 1, maxLength: 4 });

nativeSuite("parquet", () => {
  it("writes what parquet-wasm writes, as DuckDB reads it: every value, and the bounds of every chunk", async () => {
    await fc.assert(
      fc.asyncProperty(
        columns,
        batchRows,
        fc.constantFrom("snappy", "none"),
        async (all, rows, compression) => {
          const options = {
            columns: all.map(({ type }) => ({ name: `a ${type}`, type })),
            encodings: all.map(({ type, dictionary }) => ({
              name: `a ${type}`,
              dictionary: dictionary && type !== "boolean",
              statistics: true,
            })),
            compression: compression as "snappy" | "none",
            footer: { node_id: "Knoten 7 °", "": "" },
          };
          let first = 0;
          const batches = rows.map((count) => {
            const batch = batchOf(all, first, count);
            first += count;
            return batch;
          });
          const native = await encode(createNativeEncoder, options, batches);
          const wasm = await encode(createWasmEncoder, options, batches);
          expect(await differences(native, wasm, options)).toEqual([]);
          expect(await described(native)).toEqual(await described(wasm));
          expect(await boundsOf(native, all)).toEqual(await boundsOf(wasm, all));
        },
      ),
      { numRuns: 25 },
    );
  });

  it("ends a dictionary that grows too large, and keeps the values that are in it", async () => {
    const all: Values[] = [
      {
        type: "int64",
        pool: Array.from({ length: 200_000 }, (_, n) => BigInt(n)),
        run: 1,
        nulls: 0,
        dictionary: true,
      },
      {
        type: "string",
        pool: Array.from({ length: 90_000 }, (_, n) => `reading ${n}`),
        run: 1,
        nulls: 5,
        dictionary: true,
      },
      { type: "binary", pool: [Buffer.alloc(300, 7)], run: 1, nulls: 1_000, dictionary: false },
    ];
    const options: Options = {
      columns: all.map(({ type }) => ({ name: type, type })),
      encodings: all.map(({ type, dictionary }) => ({ name: type, dictionary, statistics: true })),
      compression: "snappy",
      footer: {},
    };
    const batches = Array.from({ length: 18 }, (_, index) => batchOf(all, index * 8_192, 8_192));
    const native = await encode(createNativeEncoder, options, batches);
    expect(await differences(native, await encode(createWasmEncoder, options, batches), options)).toEqual([]);
    const encodings = await duckdb(
      `SELECT DISTINCT encodings FROM parquet_metadata('${native}') WHERE row_group_id = 0`,
    );
    expect(encodings).toContainEqual({ encodings: "PLAIN, RLE, RLE_DICTIONARY" });
  });

  it("hands a row group over in pieces, which fit together", async () => {
    const values = { type: "double", run: 1, nulls: 7, dictionary: false } as const;
    const all: Values[] = Array.from({ length: 7 }, (_, index) => ({
      ...values,
      pool: Array.from({ length: 9_973 }, (_, n) => Math.sqrt(n + index)),
    }));
    const options: Options = {
      columns: all.map(({ type }, index) => ({ name: `${index}`, type })),
      encodings: all.map(({ dictionary }, index) => ({ name: `${index}`, dictionary, statistics: true })),
      compression: "none",
      footer: {},
    };
    const batches = Array.from({ length: 40 }, (_, index) => batchOf(all, index * 8_192, 8_192));
    const sizes: number[] = [];
    const native = await encode(createNativeEncoder, options, batches, sizes);
    // Of two row groups and the footer.
    expect(sizes.length).toBeGreaterThan(4);
    expect(Math.max(...sizes)).toBeLessThan(7 * 2 ** 20);
    expect(await differences(native, await encode(createWasmEncoder, options, batches), options)).toEqual([]);
  });

  it("says nothing of the bounds of text that is long, and bounds zeros by both zeros and passes over NaN", async () => {
    const all: Values[] = [
      { type: "string", pool: ["a", "b".repeat(65)], run: 1, nulls: 0, dictionary: false },
      { type: "double", pool: [0, Number.NaN], run: 1, nulls: 0, dictionary: false },
      { type: "double", pool: [Number.NaN], run: 1, nulls: 0, dictionary: true },
    ];
    const options: Options = {
      columns: all.map(({ type }, index) => ({ name: `${index}`, type })),
      encodings: all.map(({ dictionary }, index) => ({ name: `${index}`, dictionary, statistics: true })),
      compression: "snappy",
      footer: {},
    };
    const path = await encode(createNativeEncoder, options, [batchOf(all, 0, 10)]);
    const bounds = await duckdb(
      `SELECT stats_min_value AS least, stats_max_value AS most FROM parquet_metadata('${path}') ORDER BY column_id`,
    );
    expect(bounds).toEqual([
      { least: null, most: null },
      { least: "-0.0", most: "0.0" },
      { least: null, most: null },
    ]);
  });

  it.each([
    "SELECT parquet('begin', 'brotli')",
    "SELECT parquet('column', 'a', 'q', 0, 0)",
    "SELECT parquet('end', 'before a row')",
    "SELECT parquet('append', 0, 0, 1, 0, NULL, zeroblob(8), NULL)",
  ])("refuses what it does not know: %s", (sql) => {
    const db = openMemoryDatabase();
    loadNative(db);
    expect(() => db.prepare(sql).get()).toThrow("parquet: the arguments are wrong");
    db.close();
  });

  it("is not for compressions that it does not know, nor where the extension is off", () => {
    const options = { columns: [], encodings: [], footer: {}, write: async () => {} };
    expect(createNativeEncoder({ ...options, compression: "zstd" })).toBeNull();
    expect(createNativeEncoder({ ...options, compression: "gzip" })).toBeNull();
    process.env.UPLOADER_NATIVE = "off";
    try {
      expect(createNativeEncoder({ ...options, compression: "snappy" })).toBeNull();
    } finally {
      delete process.env.UPLOADER_NATIVE;
    }
  });
});

type Options = Omit<ParquetEncoderOptions, "write">;

/** The file that an encoder makes of some batches. @param sizes gets those of its pieces, in bytes */
async function encode(
  create: (options: ParquetEncoderOptions) => ParquetEncoder | null,
  options: Options,
  batches: readonly ColumnBatch[],
  sizes: number[] = [],
): Promise<string> {
  const chunks: Uint8Array[] = [];
  const encoder = create({ ...options, write: async (chunk) => void chunks.push(Uint8Array.from(chunk)) });
  if (encoder === null) throw new Error("there is no encoder");
  for (const batch of batches) await encoder.append(batch);
  await encoder.end();
  sizes.push(...chunks.map(({ byteLength }) => byteLength));
  const path = join(temporaryFolder(), "object.parquet");
  writeFileSync(path, Buffer.concat(chunks));
  return path;
}

function batchOf(all: readonly Values[], first: number, rows: number): ColumnBatch {
  const columns = all.map(({ type, pool, run, nulls }) => {
    const builder = createColumnBuilder(type, rows);
    for (let row = first; row < first + rows; row++) {
      if (nulls > 0 && row % nulls === 0) builder.appendNull();
      else builder.append(pool[Math.floor(row / run) % pool.length] as Exclude<SqlValue, null>);
    }
    return builder.finish();
  });
  return { rows, columns };
}

/** The first rows of two files that differ, the sign of a zero and the bits of text included. */
async function differences(one: string, other: string, { columns }: Options) {
  const differ = columns.map(({ name, type }) => {
    const column =
      type === "double"
        ? (table: string) => `${table}."${name}"::VARCHAR`
        : (table: string) => `${table}."${name}"`;
    return `${column("a")} IS DISTINCT FROM ${column("b")}`;
  });
  return duckdb(`SELECT * FROM '${one}' a POSITIONAL JOIN '${other}' b WHERE ${differ.join(" OR ")} LIMIT 3`);
}

/** Names and types of the columns, rows, row groups, and the metadata of the footer. */
async function described(path: string) {
  return {
    columns: await duckdb(`DESCRIBE FROM '${path}'`),
    groups: await duckdb(
      `SELECT DISTINCT row_group_id AS id, row_group_num_rows AS rows FROM parquet_metadata('${path}') ORDER BY id`,
    ),
    metadata: await duckdb(
      `SELECT decode(key) AS key, decode(value) AS value FROM parquet_kv_metadata('${path}')
       WHERE decode(key) != 'ARROW:schema' ORDER BY key`,
    ),
  };
}

/** What each chunk says of its values: of text and blobs only as long as no value is longer than what both write whole. */
async function boundsOf(path: string, all: readonly Values[]) {
  const chunks = await duckdb(
    `SELECT stats_null_count AS nulls, stats_min_value AS least, stats_max_value AS most FROM parquet_metadata('${path}')
     ORDER BY row_group_id, column_id`,
  );
  return chunks.filter((_, index) => {
    const { type, pool } = all[index % all.length] as Values;
    return (
      !(type === "string" || type === "binary") ||
      pool.every((value) => Buffer.from(value as string).length <= 64)
    );
  });
}
