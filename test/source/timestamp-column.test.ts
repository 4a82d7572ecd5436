import { describe, expect, it } from "vitest";
import { inspectTable } from "../../src/source/inspect.ts";
import { openMemory } from "../query/tables.ts";

describe("the timestamp column", () => {
  it.each<[columns: string, found: string | null]>([
    ["id INTEGER PRIMARY KEY, timestamp TEXT, value REAL", "timestamp"],
    ["created_at TEXT, Timestamp TEXT", "Timestamp"],
    ["inserted_at TEXT, measured_at REAL", "measured_at"],
    ["value REAL, TS INTEGER", "TS"],
    ["value REAL, happened DATETIME", "happened"],
    ["value REAL, happened timestamp with time zone", "happened"],
    ["started DATETIME, ended DATETIME", null],
    ["started DATETIME, time TEXT", "time"],
    ["value REAL, uptime INTEGER, timestamp_quality TEXT", null],
  ])("of (%s) is %s", (columns, found) => {
    const db = openMemory();
    db.exec(`CREATE TABLE readings (${columns})`);
    expect(inspectTable(db, "readings", { timestampColumn: null }).timestampColumn).toBe(found);
  });

  it("is the one that is named, whatever its case", () => {
    const db = openMemory();
    db.exec("CREATE TABLE readings (timestamp TEXT, Seen INTEGER)");
    expect(inspectTable(db, "readings", { timestampColumn: "sEEN" }).timestampColumn).toBe("Seen");
  });

  it("is missing, said with the columns that there are, where the named one is not there", () => {
    const db = openMemory();
    db.exec("CREATE TABLE readings (timestamp TEXT, value REAL)");
    expect(() => inspectTable(db, "readings", { timestampColumn: "seen" })).toThrowError(
      expect.objectContaining({
        code: "SOURCE_COLUMN_MISSING",
        message: expect.stringContaining("seen"),
        hint: expect.stringContaining("timestamp, value"),
      }),
    );
  });
});
