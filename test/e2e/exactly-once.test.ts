import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { listObjects, readTable } from "../support/lake-reader.ts";
import { appendReadings, openReadings, READING_COLUMNS } from "../support/readings.ts";
import { uploadOnce } from "../support/run-in-process.ts";
import { decodeRescued, readStored, storedInLake } from "../support/stored-values.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { gapsIn } from "../support/whole-lake.ts";

const COLUMNS = ["id", ...READING_COLUMNS, "synced"];

describe("small objects", () => {
  it("have every row once, though all bear the same timestamp and later ones lie in the past", async () => {
    const folder = temporaryFolder();
    const database = join(folder, "sensor.db");
    const lake = join(folder, "lake");
    const db = openReadings(database);
    const upload = () =>
      uploadOnce({ cwd: folder, argv: { sqlite: database, directory: lake, "max-batch-size": 7 } });
    const timestamp = "2026-05-05T05:05:05.005Z";

    appendReadings(db, 1_200, { timestamp });
    expect(await upload()).toBe(0);
    appendReadings(db, 5, { timestamp: "2001-01-01T00:00:00Z" });
    appendReadings(db, 1_800, { timestamp });
    expect(await upload()).toBe(0);
    expect(await upload()).toBe(0);
    appendReadings(db, 1, { timestamp: "1969-12-31T23:59:59Z" });
    expect(await upload()).toBe(0);
    appendReadings(db, 8, { timestamp: "2026-05-05T05:05:05.004Z" });
    expect(await upload()).toBe(0);

    const objects = listObjects(lake);
    // Each run begins an object of its own: 1,200 in 172, 1,805 in 258, 1 in 1, 8 in 2.
    expect(objects.map(({ name }) => name.sequence)).toEqual(
      Array.from({ length: 433 }, (_, index) => index + 1),
    );
    expect(gapsIn(objects)).toEqual([]);
    expect(Math.max(...objects.map(({ name }) => name.rows))).toBe(7);

    const names = new Map(objects.map(({ path, name }) => [path, name]));
    const { columns, rows } = await readTable(objects);
    expect(columns.slice(0, COLUMNS.length)).toEqual(COLUMNS);
    const at = (name: string) => columns.indexOf(name);
    const shipped = rows.map((row): [bigint, string[]] => {
      const rescued = decodeRescued(row[at("_rescued")] as string | null, "utf8");
      const rowid = row[at("_rowid")] as bigint;
      const range = names.get(row[at("filename")] as string)?.range;
      expect(range && range.first <= rowid && rowid <= range.last).toBe(true);
      const stored = COLUMNS.map((name, index) =>
        storedInLake({ value: row[index], rescued: rescued.get(name), affinity: "real", encoding: "utf8" }),
      );
      return [rowid, stored];
    });
    expect(shipped).toHaveLength(3_014);
    expect(new Map(shipped)).toEqual(readStored(db, "readings", "id", COLUMNS));
    expect(objects.reduce((sum, { name }) => sum + name.rows, 0)).toBe(3_014);
  });
});
