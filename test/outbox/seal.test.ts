import { describe, expect, it, test } from "vitest";
import { addCoveredRanges } from "../../src/outbox/covered-ranges.ts";
import { beginGeneration, commitExtraction } from "../../src/outbox/extractions.ts";
import { markRecorded, nextWaiting, readExecutionChanges, strike } from "../../src/outbox/objects.ts";
import { isSealed } from "../../src/outbox/seal.ts";
import { changeDestination } from "../../src/outbox/sources.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { openForTest } from "../support/readings.ts";
import { commitOf, DESTINATION, NOW, newSource, newState, reread } from "./new-state.ts";

/** A state with a row in each table. */
function setUp() {
  const state = newState();
  const source = newSource(state);
  addCoveredRanges(state.db, source.id, [{ first: 2n ** 61n, last: 2n ** 62n }]);
  commitExtraction(state, commitOf(source));
  return { state, source, object: nextWaiting(state, source, "ordinary") };
}

describe("a state stays sealed", () => {
  it("through all that the uploader writes, also what the database deletes by itself", () => {
    const { state, source, object } = setUp();
    expect(isSealed(state.db)).toBe(true);
    changeDestination(state, reread(state, source), { ...DESTINATION, place: "directory /elsewhere" });
    if (object) strike(state, source, object, NOW);
    expect(isSealed(state.db)).toBe(true);
    markRecorded(state, readExecutionChanges(state, 10));
    beginGeneration(state, reread(state, source), 1n, "of row 1");
    commitExtraction(state, commitOf(reread(state, source)));
    expect(isSealed(state.db)).toBe(true);
    state.db.exec("DELETE FROM objects; DELETE FROM sources");
    expect(state.db.prepare("SELECT count(*) FROM positions").pluck().get()).toBe(0);
    expect(isSealed(state.db)).toBe(true);
  });

  it("through what is rolled back", () => {
    const { state, source } = setUp();
    const failing = state.db.transaction(() => {
      commitExtraction(state, commitOf(reread(state, source)));
      throw new Error("no");
    });
    expect(failing).toThrow("no");
    expect(isSealed(state.db)).toBe(true);
  });
});

test("any row and any value that another program changes breaks it", () => {
  const { state } = setUp();
  const other = openForTest(state.files.database);
  other.pragma("foreign_keys = OFF");
  const changes = columnsOf(other).flatMap(({ table, column, type }) => [
    `UPDATE ${table} SET ${column} = ${type === "TEXT" ? `coalesce(${column}, '') || '!'` : `coalesce(${column}, 0) + 1`}`,
    `DELETE FROM ${table}`,
  ]);
  expect(changes.length).toBeGreaterThan(80);
  for (const change of changes) {
    other.exec("BEGIN");
    expect(other.prepare(change).run(), change).toMatchObject({ changes: 1 });
    expect(isSealed(other), change).toBe(false);
    other.exec("ROLLBACK");
  }
  expect(isSealed(other)).toBe(true);
});

function columnsOf(db: Connection) {
  return db
    .prepare(
      `SELECT tables.name AS "table", columns.name AS "column", columns.type
       FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns
       WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite%'`,
    )
    .all() as { table: string; column: string; type: string }[];
}
