import { describe, expect, it } from "vitest";
import { checkContinuity, positionAt } from "../../src/source/continuity.ts";
import { formatFooting, noteFooting, parseFooting, rememberedOf } from "../../src/source/footing.ts";
import { inspectTable } from "../../src/source/inspect.ts";
import { createNumberingWatch } from "../../src/source/numbering.ts";
import { openMemory } from "../query/tables.ts";

/** A table without AUTOINCREMENT, of ten rows. */
function openTable() {
  const db = openMemory();
  db.exec("CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, value REAL)");
  for (let id = 1; id <= 10; id++) db.exec(`INSERT INTO readings VALUES (${id}, 'at ${id}', ${id})`);
  const schema = inspectTable(db, "readings", { timestampColumn: null });
  return { db, schema, numbering: createNumberingWatch(db) };
}

describe("the footing", () => {
  it("goes through the state and comes back as it was", () => {
    const { db, schema, numbering } = openTable();
    const footing = noteFooting(db, schema, 10n, numbering);
    expect(parseFooting(formatFooting(footing))).toEqual(footing);
  });

  it("of an earlier version lacks what that did not remember", () => {
    expect(parseFooting('{"trail":[],"numbering":null}')).toEqual({
      cursor: null,
      recent: null,
      trail: [],
      numbering: null,
    });
  });

  it("has the cursor's position where a generation begins behind a row that was none", () => {
    const { db, schema, numbering } = openTable();
    const positions = [positionAt(db, schema, 4n)];
    const footing = noteFooting(db, schema, 9n, numbering);
    expect(rememberedOf(positions, footing).positions.map(({ rowid }) => rowid)).toEqual([9n, 4n]);
    db.exec("DELETE FROM readings WHERE id > 7");
    expect(checkContinuity(db, schema, rememberedOf(positions, footing))).toMatchObject({
      continues: false,
      resumeAfter: 7n,
    });
  });
});
