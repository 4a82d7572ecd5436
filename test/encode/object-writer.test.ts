import { createHash, randomBytes } from "node:crypto";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { QueryColumn, SqlValue } from "../../src/core/types.ts";
import type { ColumnBatch } from "../../src/encode/column-batch.ts";
import {
  type CreateFile,
  type ObjectWriterOptions,
  openObjectWriter,
} from "../../src/encode/object-writer.ts";
import type { ParquetCompression } from "../../src/encode/parquet-encoder.ts";
import { readColumns } from "../../src/encode/read-columns.ts";
import { duckdb } from "../support/lake-reader.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const COLUMNS: readonly QueryColumn[] = [
  { name: "id", type: "int64", source: null },
  { name: "a.b [°C]", type: "string", source: null },
];
const FOOTER = { node_id: "Knoten 7 °", table: "readings" };

/** Encoded by the C extension, where it is built, and by parquet-wasm. */
describe.each(["on", "off"])("with UPLOADER_NATIVE %s:", (native) => {
  beforeEach(() => {
    vi.stubEnv("UPLOADER_NATIVE", native);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  describe("an object", () => {
    it("has the rows of all batches, in order, and says how many, how large and what SHA-256", async () => {
      const { path, writer } = await openWriter();
      await writer.append(batch([[1n, "one"]]));
      await writer.append(batch([]));
      await writer.append(
        batch([
          [2n, null],
          [3n, ""],
        ]),
      );
      expect(writer.rows).toBe(3);
      const finished = await writer.close();
      const bytes = readFileSync(path);
      expect(finished).toEqual({
        rows: 3,
        bytes: bytes.length,
        sha256: createHash("sha256").update(bytes).digest("hex"),
      });
      expect(await duckdb(`FROM '${path}'`)).toEqual([
        { id: 1n, "a.b [°C]": "one" },
        { id: 2n, "a.b [°C]": null },
        { id: 3n, "a.b [°C]": "" },
      ]);
    });

    it("tells of each batch when it is encoded: the first ones when they show how", async () => {
      const encoded: ColumnBatch[] = [];
      const { writer } = await openWriter({ onEncoded: (batch) => encoded.push(batch) });
      const batches = [0, 3_000, 6_000].map((first) => batch(numbered(3_000, first)));
      const told: number[] = [];
      for (const batch of batches) {
        await writer.append(batch);
        told.push(encoded.length);
      }
      await writer.close();
      expect(told).toEqual([0, 2, 3]);
      expect(encoded).toEqual(batches);
      const short = await openWriter({ onEncoded: (batch) => encoded.push(batch) });
      await short.writer.append(batches[0] as ColumnBatch);
      await short.writer.close();
      expect(encoded).toHaveLength(4);
    });

    it("says in its footer what was known when it was opened", async () => {
      const { path, writer } = await openWriter();
      await writer.append(batch([[1n, "one"]]));
      await writer.close();
      const metadata = await duckdb(
        `SELECT decode(key) AS key, decode(value) AS value FROM parquet_kv_metadata('${path}')`,
      );
      for (const [key, value] of Object.entries(FOOTER)) expect(metadata).toContainEqual({ key, value });
    });

    it("can be read by its owner alone until it is delivered", async () => {
      const { path, writer } = await openWriter();
      await writer.append(batch([[1n, "one"]]));
      await writer.close();
      expect(statSync(path).mode & 0o777).toBe(0o600);
    });

    it("is not written over a file that is there", async () => {
      const path = join(temporaryFolder(), "object.parquet");
      writeFileSync(path, "somebody else's");
      await expect(openWriter({ path })).rejects.toThrow(/EEXIST/);
      expect(readFileSync(path, "utf8")).toBe("somebody else's");
    });

    it.each<[ParquetCompression, string]>([
      ["snappy", "SNAPPY"],
      ["zstd", "ZSTD"],
      ["gzip", "GZIP"],
      ["none", "UNCOMPRESSED"],
    ])("is compressed by %s", async (compression, codec) => {
      const { path, writer } = await openWriter({ compression });
      await writer.append(batch(numbered(1000)));
      await writer.close();
      const codecs = await duckdb(`SELECT DISTINCT compression FROM parquet_metadata('${path}')`);
      expect(codecs).toEqual([{ compression: codec }]);
      expect(await duckdb(`SELECT count(*) AS rows, sum(id) AS ids FROM '${path}'`)).toEqual([
        { rows: 1000n, ids: 499_500n },
      ]);
    });

    it("of which a write failed is never whole, whatever is written behind it", async () => {
      let writes = 0;
      const createFile: CreateFile = async (path) => {
        const file = await open(path, "wx");
        const write = async (chunk: Uint8Array, offset: number) => {
          if (++writes === 1) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
          return file.write(chunk, offset);
        };
        return { write, sync: () => file.sync(), close: () => file.close() };
      };
      const { writer } = await openWriter({ createFile });
      const append = async () => {
        for (let at = 0; at < 600_000; at += 50_000) await writer.append(batch(numbered(50_000, at)));
      };
      await expect(append()).rejects.toThrow("no space left");
      await expect(writer.close()).rejects.toThrow("no space left");
      await writer.abort();
    });

    it.each([0, 10, 50_000])("that was given up after %i rows is closed, and takes no more", async (rows) => {
      const { path, writer } = await openWriter();
      await writer.append(batch(numbered(rows)));
      await writer.abort();
      const left = readFileSync(path);
      await expect(writer.append(batch(numbered(10)))).rejects.toThrow();
      expect(readFileSync(path).equals(left)).toBe(true);
    });
  });

  describe("row groups", () => {
    it("end at 262,144 rows, whatever the batches", async () => {
      const { path, writer } = await openWriter();
      for (let at = 0; at < 600_000; at += 50_000) await writer.append(batch(numbered(50_000, at)));
      await writer.close();
      const groups = await duckdb(
        `SELECT DISTINCT row_group_id AS id, row_group_num_rows AS rows FROM parquet_metadata('${path}') ORDER BY id`,
      );
      expect(groups.map(({ rows }) => rows)).toEqual([262_144n, 262_144n, 75_712n]);
      expect(await duckdb(`SELECT count(DISTINCT id) AS ids, max(id) AS last FROM '${path}'`)).toEqual([
        { ids: 600_000n, last: 599_999n },
      ]);
    });

    it("end at 32 MiB, so that wide rows do not fill the memory", async () => {
      const { path, writer } = await openWriter({
        columns: [{ name: "x", type: "binary" }],
        compression: "none",
      });
      const columns: QueryColumn[] = [{ name: "x", type: "binary", source: null }];
      const megabyte = randomBytes(2 ** 20);
      for (let at = 0; at < 20; at++)
        await writer.append(
          batch(
            Array.from({ length: 4 }, () => [Buffer.concat([megabyte, randomBytes(8)])]),
            columns,
          ),
        );
      expect(writer.estimatedBytes).toBeGreaterThan(70 * 2 ** 20);
      const { bytes } = await writer.close();
      const groups = await duckdb(
        `SELECT sum(total_compressed_size) AS bytes FROM parquet_metadata('${path}') GROUP BY row_group_id`,
      );
      expect(groups.length).toBeGreaterThan(1);
      for (const group of groups) expect(Number(group.bytes)).toBeLessThan(40 * 2 ** 20);
      expect(bytes).toBeGreaterThan(80 * 2 ** 20);
    });
  });

  describe("encodings", () => {
    const columns: QueryColumn[] = [
      { name: "sensor", type: "string", source: null },
      { name: "note", type: "string", source: null },
      { name: "rounded", type: "double", source: null },
      { name: "exact", type: "double", source: null },
      { name: "rare", type: "string", source: null },
    ];
    const row = (n: number): SqlValue[] => [
      `sensor ${n % 7}`,
      `note ${n}`,
      (n % 40) / 4,
      n / 7,
      n % 100 === 99 ? `fault ${n % 3}` : null,
    ];

    /** Whether each column has a dictionary, and the statistics of its minimum. */
    async function encodingsOf(first: readonly number[], total: number) {
      const { path, writer } = await openWriter({
        columns: columns.map(({ name, type }) => ({ name, type })),
      });
      let at = 0;
      for (const rows of [...first, total]) {
        const end = Math.min(at + rows, total);
        await writer.append(
          batch(
            Array.from({ length: end - at }, (_, index) => row(at + index)),
            columns,
          ),
        );
        at = end;
      }
      await writer.close();
      const counted = await duckdb(`SELECT count(*) AS rows, count(DISTINCT note) AS notes FROM '${path}'`);
      expect(counted).toEqual([{ rows: BigInt(total), notes: BigInt(total) }]);
      const chunks = await duckdb(
        `SELECT path_in_schema AS name, encodings LIKE '%DICTIONARY%' AS dictionary, stats_min_value IS NOT NULL AS statistics
       FROM parquet_metadata('${path}') WHERE row_group_id = 0 ORDER BY column_id`,
      );
      return Object.fromEntries(chunks.map(({ name, ...encoding }) => [name, encoding]));
    }

    it.each<[string, number[]]>([
      ["all in one batch", []],
      ["a first batch of one row", [1]],
      ["a first batch of two rows", [2]],
      ["one row, then one row, then ten", [1, 1, 10]],
      ["a first batch of a thousand rows", [1_000]],
      ["a first batch of one row less than shows", [4_095]],
    ])("are those of all rows: %s", async (_, first) => {
      expect(await encodingsOf(first, 20_000)).toEqual({
        sensor: { dictionary: true, statistics: false },
        note: { dictionary: false, statistics: true },
        rounded: { dictionary: true, statistics: true },
        exact: { dictionary: false, statistics: true },
        rare: { dictionary: true, statistics: true },
      });
    });

    it("of an object of one row are plain", async () => {
      expect(await encodingsOf([], 1)).toMatchObject({
        sensor: { dictionary: false, statistics: true },
        exact: { dictionary: false, statistics: true },
      });
    });

    it("of many rows behind a large one are not chosen by that one", async () => {
      const { path, writer } = await openWriter({
        columns: columns.map(({ name, type }) => ({ name, type })),
      });
      await writer.append(batch([["sensor 0", "x".repeat(17 * 2 ** 20), 0, 0, null]], columns));
      await writer.append(
        batch(
          Array.from({ length: 5_000 }, (_, n) => row(n)),
          columns,
        ),
      );
      await writer.close();
      const [sensor] = await duckdb(
        `SELECT encodings LIKE '%DICTIONARY%' AS dictionary FROM parquet_metadata('${path}') WHERE path_in_schema = 'sensor'`,
      );
      expect(sensor).toEqual({ dictionary: true });
    });

    it("of large rows are chosen from 16 MB of them, which bounds what is held", async () => {
      const { path, writer } = await openWriter({
        columns: [{ name: "x", type: "binary" }],
        compression: "none",
      });
      const large: QueryColumn[] = [{ name: "x", type: "binary", source: null }];
      for (let at = 0; at < 12; at++) await writer.append(batch([[randomBytes(6 * 2 ** 20)]], large));
      expect(statSync(path).size).toBeGreaterThan(30 * 2 ** 20);
      expect(await writer.close()).toMatchObject({ rows: 12 });
    });
  });

  describe("the estimate of an object's bytes", () => {
    it("is right to a few row groups' remains, so that an object ends near its target", async () => {
      const { writer } = await openWriter();
      for (let at = 0; at < 120_000; at += 8_000) await writer.append(batch(numbered(8_000, at)));
      const estimated = writer.estimatedBytes;
      const { bytes } = await writer.close();
      expect(estimated / bytes).toBeGreaterThan(0.8);
      expect(estimated / bytes).toBeLessThan(1.2);
    });

    it("counts rows from the first one on", async () => {
      const { writer } = await openWriter();
      expect(writer.estimatedBytes).toBe(0);
      await writer.append(batch(numbered(100)));
      const before = writer.estimatedBytes;
      await writer.append(batch(numbered(100, 100)));
      expect(before).toBeGreaterThan(0);
      expect(writer.estimatedBytes).toBeGreaterThan(before);
      await writer.close();
    });
  });
});

async function openWriter(changes: Partial<ObjectWriterOptions> = {}) {
  const path = join(temporaryFolder(), "object.parquet");
  const options = { path, columns: COLUMNS, compression: "snappy" as const, footer: FOOTER, ...changes };
  return { path, writer: await openObjectWriter(options) };
}

function numbered(rows: number, first = 0): SqlValue[][] {
  return Array.from({ length: rows }, (_, row) => [BigInt(first + row), `reading ${first + row}`]);
}

function batch(rows: readonly SqlValue[][], columns: readonly QueryColumn[] = COLUMNS): ColumnBatch {
  return readColumns(rows, {
    columns,
    rowwise: false,
    maxRows: rows.length,
    maxBytes: Number.POSITIVE_INFINITY,
    mayBeInvalid: () => false,
    readInvalidText: () => null,
  }).batch;
}
