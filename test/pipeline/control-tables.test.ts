import { expect, test } from "vitest";
import { ensureControlTables } from "../../src/pipeline/control-tables.ts";
import { readEffectiveRevision } from "../../src/pipeline/revision-reader.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { openTemporary } from "./temporary-database.ts";

const NOW = Date.parse("2026-07-31T10:00:00.000Z");

function columnsOf(db: Connection, table: string): string[] {
  return db.prepare("SELECT name FROM pragma_table_info(?)").pluck().all(table) as string[];
}

test("makes both tables with the columns that people know, once", () => {
  const db = openTemporary();
  ensureControlTables(db);
  expect(columnsOf(db, "pipeline_config")).toEqual([
    "id",
    "pipeline_type",
    "updated_at",
    "updated_by",
    "reason",
    "expires_at",
  ]);
  expect(columnsOf(db, "pipeline_executions")).toEqual([
    "id",
    "config_id",
    "pipeline_type",
    "table_name",
    "bucket",
    "object_key",
    "records",
    "bytes",
    "first_rowid",
    "last_rowid",
    "started_at",
    "completed_at",
    "status",
    "error",
  ]);
  const version = db.pragma("schema_version");
  ensureControlTables(db);
  expect(db.pragma("schema_version")).toEqual(version);
});

test("needs no write lock where nothing is missing", () => {
  const db = openTemporary();
  ensureControlTables(db);
  const writer = openTemporary(db.name, { mode: "write" });
  writer.exec("BEGIN IMMEDIATE");
  const reader = openTemporary(db.name, { mode: "write", busyTimeoutMs: 0 });
  expect(() => ensureControlTables(reader)).not.toThrow();
});

test("adds the columns that an older system's table lacks, and keeps its rows", () => {
  const db = openTemporary();
  db.exec(`
    CREATE TABLE pipeline_config(id INTEGER PRIMARY KEY AUTOINCREMENT, pipeline_type VARCHAR NOT NULL,
      updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_by TEXT);
    INSERT INTO pipeline_config(pipeline_type, updated_at) VALUES ('schematized', '2024-01-20 10:30:45');
    CREATE TABLE pipeline_executions(id INTEGER PRIMARY KEY, pipeline_type TEXT, started_at TEXT);
    INSERT INTO pipeline_executions(pipeline_type) VALUES ('raw'), ('raw');`);
  const expected = {
    kind: "revision",
    revision: {
      id: 1,
      type: "schematized",
      updatedAt: "2024-01-20T10:30:45.000Z",
      updatedBy: "unknown",
      reason: null,
      expiresAt: null,
    },
  };
  expect(readEffectiveRevision(db, NOW)).toMatchObject(expected);
  ensureControlTables(db);
  expect(readEffectiveRevision(db, NOW)).toMatchObject(expected);
  expect(columnsOf(db, "pipeline_config")).toContain("expires_at");
  expect(columnsOf(db, "pipeline_executions")).toContain("object_key");
  expect(setPipelineType(db, { type: "emergency", forSeconds: 60, now: NOW }).revision.id).toBe(2);
  expect(readEffectiveRevision(db, NOW)).toMatchObject({ revision: { type: "emergency" } });
  expect(readEffectiveRevision(db, NOW + 60_000)).toMatchObject({ revision: { type: "schematized" } });
});

test.each([
  ["no type", "CREATE TABLE pipeline_config(id INTEGER PRIMARY KEY, name TEXT)", /no column pipeline_type/],
  ["no id", "CREATE TABLE pipeline_config(pipeline_type TEXT)", /no column id/],
  ["a text id", "CREATE TABLE pipeline_config(id TEXT PRIMARY KEY, pipeline_type TEXT)", /primary key/],
  [
    "another key",
    "CREATE TABLE pipeline_config(id INTEGER, pipeline_type TEXT PRIMARY KEY)",
    /primary key is not id/,
  ],
  [
    "a column of its own that must be filled",
    "CREATE TABLE pipeline_config(id INTEGER PRIMARY KEY, pipeline_type TEXT, site TEXT NOT NULL)",
    /column site/,
  ],
  ["a view", "CREATE VIEW pipeline_config AS SELECT 1 AS id, 'raw' AS pipeline_type", /a view/],
  [
    "a constraint",
    "CREATE TABLE pipeline_config(id INTEGER PRIMARY KEY CHECK (id < 1), pipeline_type TEXT)",
    /CHECK constraint failed/,
  ],
])("refuses a table of the same name with %s, and leaves it as it was", (_, ddl, why) => {
  const db = openTemporary();
  db.exec(ddl);
  const before = db.prepare("SELECT sql FROM sqlite_schema").all();
  const set = () => setPipelineType(db, { type: "emergency", now: NOW });
  expect(set).toThrow(
    expect.objectContaining({ code: "CONTROL_UNAVAILABLE", message: expect.stringMatching(why) }),
  );
  expect(db.prepare("SELECT sql FROM sqlite_schema").all()).toEqual(before);
});

test("a table of executions that cannot serve does not stand in the way of a change of type", () => {
  const db = openTemporary();
  db.exec("CREATE TABLE pipeline_executions(run TEXT PRIMARY KEY)");
  expect(setPipelineType(db, { type: "aggregated", now: NOW }).revision.type).toBe("aggregated");
  expect(() => ensureControlTables(db)).toThrow(expect.objectContaining({ code: "CONTROL_UNAVAILABLE" }));
});
