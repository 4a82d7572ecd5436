import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Condition, QuerySettings } from "../../src/core/types.ts";
import { QUERIES } from "../../src/query/query.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";
import { anyCondition, anyRow, CONDITION_COLUMNS, holds, storedRows } from "./condition-model.ts";
import { createTable, openMemory, readRoutes, rowids, SETTINGS } from "./tables.ts";

function withFilter(filter: Condition): QuerySettings {
  return { ...SETTINGS, emergency: { filter } };
}

describe("emergency", () => {
  it("sends the rows that match to emergency, and the others, nulls included, to raw", () => {
    const db = openMemory();
    const schema = createTable(db, { anomaly_flag: "INTEGER" }, { rows: [[1n], [0n], [null], [1n], ["x"]] });
    const query = QUERIES.emergency(schema, SETTINGS);
    expect(query.routes.map((route) => route.route)).toEqual([
      { type: "raw", rejected: false },
      { type: "emergency", rejected: false },
    ]);
    expect(readRoutes(db, query).map(rowids)).toEqual([
      [2n, 3n, 5n],
      [1n, 4n],
    ]);
    expect(query.routes[0]?.columns).toEqual(QUERIES.raw(schema, SETTINGS).routes[0]?.columns);
    expect(query.routes[1]?.columns).toEqual(query.routes[0]?.columns);
  });

  it("sends every row to emergency where the table lacks a column of the filter", () => {
    const db = openMemory();
    const schema = createTable(db, { x: "INTEGER" }, { rows: [[1n], [null]] });
    const query = QUERIES.emergency(schema, withFilter({ $or: [{ x: 1 }, { anomaly_flag: 1 }] }));
    expect(query.routes.map((route) => route.route)).toEqual([{ type: "emergency", rejected: false }]);
    expect(readRoutes(db, query).map(rowids)).toEqual([[1n, 2n]]);
  });

  it("shares the rows of any range out, whatever they hold and whatever the filter", () => {
    const ranges = fc.tuple(fc.bigInt({ min: 0n, max: 9n }), fc.bigInt({ min: 0n, max: 9n }));
    fc.assert(
      fc.property(fc.array(anyRow, { maxLength: 8 }), anyCondition, ranges, (rows, filter, [first, last]) => {
        const db = openMemory();
        const schema = createTable(db, CONDITION_COLUMNS, { rows });
        const query = QUERIES.emergency(schema, withFilter(filter));
        const [raw = [], emergency = []] = readRoutes(db, query, { first, last });
        const matching = [...storedRows(db, schema)].filter(([, row]) => holds(filter, row) === true);
        const inRange = (id: bigint) => id >= first && id <= last;
        const expected = matching.map(([id]) => id).filter(inRange);
        expect(rowids(emergency)).toEqual(expected);
        const all = QUERIES.raw(schema, SETTINGS);
        const [everything = []] = readRoutes(db, all, { first, last });
        expect(raw).toEqual(everything.filter((row) => !expected.includes(row._rowid as bigint)));
        expect(emergency).toEqual(everything.filter((row) => expected.includes(row._rowid as bigint)));
        db.close();
      }),
      fuzzRuns(300),
    );
  });
});
