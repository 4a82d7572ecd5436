import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { QUERIES } from "../../src/query/query.ts";
import { anyValue, createTable, DECLARED_TYPES, openMemory, readRoute, rowids, SETTINGS } from "./tables.ts";

describe("raw", () => {
  it("selects every column as stored, under the names of the lake, then the rowid", () => {
    const db = openMemory();
    const schema = createTable(
      db,
      { "a b": "REAL", _ROWID: "TEXT", "line\nbreak": "" },
      {
        table: 'odd "name"',
        rows: [
          ["text in REAL", "x", 1n],
          [1.5, "y", null],
        ],
      },
    );
    const query = QUERIES.raw(schema, SETTINGS);
    expect(query.firstOpenRow).toBeNull();
    expect(query.routes).toHaveLength(1);
    const [route] = query.routes as [(typeof query.routes)[0]];
    expect(route).toMatchObject({ route: { type: "raw", rejected: false }, rowwise: true, constants: [] });
    expect(route.columns).toEqual([
      { name: "id", type: "int64", source: "id" },
      { name: "a_b", type: "double", source: "a b" },
      { name: "_ROWID_2", type: "string", source: "_ROWID" },
      { name: "line_break", type: "string", source: "line\nbreak" },
      { name: "_rowid", type: "int64", source: null },
    ]);
    expect(readRoute(db, route)).toEqual([
      { id: 1n, a_b: "text in REAL", _ROWID_2: "x", line_break: 1n, _rowid: 1n },
      { id: 2n, a_b: 1.5, _ROWID_2: "y", line_break: null, _rowid: 2n },
    ]);
  });

  it("selects the rows of the range, both ends included, in the order of their rowids", () => {
    const db = openMemory();
    const schema = createTable(db, { x: "INTEGER" }, { rows: [[4n], [3n], [2n], [1n]] });
    db.exec("CREATE INDEX by_x ON readings (x); INSERT INTO readings VALUES (-9223372036854775808, 9)");
    db.pragma("reverse_unordered_selects = ON");
    const [route] = QUERIES.raw(schema, SETTINGS).routes;
    if (!route) throw new Error("no route");
    expect(rowids(readRoute(db, route, { first: 2n, last: 3n }))).toEqual([2n, 3n]);
    expect(rowids(readRoute(db, route))).toEqual([-(2n ** 63n), 1n, 2n, 3n, 4n]);
  });

  it("reaches the rowid under the name that the table leaves to it", () => {
    const db = openMemory();
    db.exec("CREATE TABLE readings (rowid TEXT, oid TEXT, _rowid TEXT)");
    db.exec(
      "INSERT INTO readings (_rowid_, rowid, oid, _rowid) VALUES (7, 'z', 'y', 'x'), (8, 'a', 'b', 'c')",
    );
    const schema = createTable(openMemory(), { rowid: "TEXT", oid: "TEXT", _rowid: "TEXT" });
    const columns = schema.columns.slice(1);
    const [route] = QUERIES.raw({ ...schema, columns, rowidName: "_rowid_" }, SETTINGS).routes;
    if (!route) throw new Error("no route");
    expect(readRoute(db, route)).toEqual([
      { rowid: "z", oid: "y", _rowid_2: "x", _rowid: 7n },
      { rowid: "a", oid: "b", _rowid_2: "c", _rowid: 8n },
    ]);
  });

  it("gives any value back as SQLite holds it", () => {
    const cells = fc.array(fc.tuple(fc.constantFrom(...DECLARED_TYPES), anyValue), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(cells, (columns) => {
        const db = openMemory();
        const declarations = Object.fromEntries(columns.map(([type], index) => [`c${index}`, type]));
        const schema = createTable(db, declarations, { rows: [columns.map(([, value]) => value)] });
        const [route] = QUERIES.raw(schema, SETTINGS).routes;
        if (!route) throw new Error("no route");
        const stored = db.prepare("SELECT *, id FROM readings").raw().get() as unknown[];
        expect(Object.values(readRoute(db, route)[0] ?? {})).toEqual(stored);
        db.close();
      }),
    );
  });
});
