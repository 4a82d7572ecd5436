import { closeSync, openSync, readSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { openReadingsTable } from "../../sample-sensor/src/readings-table.ts";
import { PIPELINE_TYPES, type PipelineType } from "../../src/core/types.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import { duckdb, type LakeObject, listObjects } from "../support/lake-reader.ts";
import { openForTest } from "../support/readings.ts";
import { uploadOnce } from "../support/run-in-process.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/**
 * What Spark and Auto Loader find in an object of each type, for the table of the sensor. Where a difference is
 * meant, renew the fixtures with `npx vitest run test/e2e/parquet-types.test.ts --update`, and say in the
 * change log what becomes of tables that are already there.
 */
const FIXTURES = join(import.meta.dirname, "../fixtures/parquet-types");

const CONFIGURATION = `
sqlite: sensor.db
s3_configuration: { enabled: false }
schematized:
  enrich: { site: plant-1, line: 7, indoor: true }
`;

/** A data page of version 1: field 1 of the page header, the type, is 0 (https://parquet.apache.org/docs/file-format). */
const DATA_PAGE_V1 = "1500";

/** Encoded by the C extension, where it is built, and by parquet-wasm: the same for Spark. */
describe.each(["on", "off"])("an object for Spark, with UPLOADER_NATIVE %s,", (native) => {
  beforeEach(() => {
    vi.stubEnv("UPLOADER_NATIVE", native);
  });
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it.each(PIPELINE_TYPES)(
    "of %s has the types, encodings and footer that tables in the lake rely on",
    async (type) => {
      for (const object of await ship(type)) {
        const { route } = object.name;
        const name = `${type}-${route.rejected ? "rejected" : route.type}.json`;
        const described = `${JSON.stringify(await describeObject(object), null, 2)}\n`;
        await expect(described).toMatchFileSnapshot(join(FIXTURES, name));
      }
    },
  );

  it.each(PIPELINE_TYPES)("of %s has nothing that Spark cannot read without help", async (type) => {
    for (const { path } of await ship(type)) {
      const leaves = await duckdb(
        `SELECT name, type, logical_type FROM parquet_schema('${path}') WHERE num_children IS NULL`,
      );
      for (const { name, type: physical, logical_type } of leaves) {
        expect(name).not.toMatch(/[ ,;{}()\n\t=]/);
        expect(["INT64", "DOUBLE", "BYTE_ARRAY", "BOOLEAN"]).toContain(physical);
        expect(String(logical_type)).not.toMatch(/NanoSeconds|MilliSeconds|isAdjustedToUTC=0|isSigned=0/);
      }
      const folded = leaves.map(({ name }) => String(name).toLowerCase());
      expect(new Set(folded).size).toBe(folded.length);

      const chunks = await duckdb(
        `SELECT path_in_schema AS name, encodings, data_page_offset FROM parquet_metadata('${path}')`,
      );
      for (const { name, encodings, data_page_offset } of chunks) {
        for (const encoding of String(encodings).split(", "))
          expect(["PLAIN", "RLE", "RLE_DICTIONARY", "PLAIN_DICTIONARY"], String(name)).toContain(encoding);
        expect(bytesAt(path, Number(data_page_offset), 2), String(name)).toBe(DATA_PAGE_V1);
      }
    }
  });
});

/** Ships 50 rows of the sensor's table as a type: rows 10, 20 … are anomalies, row 33 fails its schema. */
async function ship(type: PipelineType): Promise<LakeObject[]> {
  const cwd = temporaryFolder();
  const path = join(cwd, "sensor.db");
  openReadingsTable(path).close();
  const db = openForTest(path);
  const insert = db.prepare(
    `INSERT INTO sensor_readings (timestamp, sensor_id, temperature, humidity, status_code, anomaly_flag,
       anomaly_type, location, latitude, longitude, synced) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  for (let row = 1; row <= 50; row++)
    insert.run(
      `2026-01-01T00:00:${String(row).padStart(2, "0")}.250Z`,
      `sensor-${row % 3}`,
      row === 33 ? "broken" : 20 + row / 8,
      row % 7 === 0 ? null : 40 + row / 4,
      row % 5,
      row % 10 === 0 ? 1 : 0,
      row % 10 === 0 ? "spike" : null,
      `hall ${row % 2}`,
      52.5,
      13.4,
      0,
    );
  setPipelineType(db, { type, by: "test", now: Date.now() });
  writeFileSync(join(cwd, "databricks-uploader-config.yaml"), CONFIGURATION);
  expect(await uploadOnce({ cwd, argv: { "node-id": "edge-7" } })).toBe(0);
  const objects = listObjects(join(cwd, "lake"));
  const hasTwoRoutes = type === "schematized" || type === "emergency";
  expect(objects).toHaveLength(hasTwoRoutes ? 2 : 1);
  return objects;
}

/**
 * Column by column: physical type, logical type, whether it may be null; encodings; compression. One of the encoders lists
 * a dictionary for a column without a value, and Arrow's own description of the columns, which no other reader needs.
 */
async function describeObject({ path }: LakeObject) {
  const schema = await duckdb(
    `SELECT name, type, coalesce(logical_type, '') AS logical, repetition_type AS repetition
     FROM parquet_schema('${path}') WHERE num_children IS NULL`,
  );
  const chunks = await duckdb(
    `SELECT path_in_schema AS name, compression,
       if(stats_null_count = num_values, 'PLAIN, RLE', encodings) AS encodings
     FROM parquet_metadata('${path}') ORDER BY column_id`,
  );
  const footer = await duckdb(
    `SELECT decode(key) AS key FROM parquet_kv_metadata('${path}') WHERE decode(key) != 'ARROW:schema' ORDER BY key`,
  );
  const columns = schema.map(({ name, type, logical, repetition }, index) => {
    const chunk = chunks[index];
    expect(chunk?.name).toBe(name);
    const words = [type, logical, repetition].filter((word) => word !== "");
    return [name, `${words.join(" ")}; ${chunk?.encodings}; ${chunk?.compression}`];
  });
  return { columns: Object.fromEntries(columns), footer: footer.map(({ key }) => key).join(", ") };
}

function bytesAt(path: string, offset: number, length: number): string {
  const file = openSync(path, "r");
  const bytes = Buffer.alloc(length);
  readSync(file, bytes, 0, length, offset);
  closeSync(file);
  return bytes.toString("hex");
}
