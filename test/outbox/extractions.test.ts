import { describe, expect, it } from "vitest";
import { beginGeneration, commitExtraction, readPositions } from "../../src/outbox/extractions.ts";
import { countWaiting, nextWaiting } from "../../src/outbox/objects.ts";
import { setHold } from "../../src/outbox/sources.ts";
import { commitOf, newSource, newState, objectOf, position, reread } from "./new-state.ts";

describe("the commit of an extraction", () => {
  it("advances cursor and sequence and lists positions and objects", () => {
    const state = newState();
    const source = newSource(state);
    const objects = [
      objectOf(source),
      objectOf(source, { key: "other", file: "other", route: { type: "emergency", rejected: false } }),
    ];
    commitExtraction(
      state,
      commitOf(source, { cursor: 9n, positions: [position(5n), position(9n)], objects }),
    );
    expect(reread(state, source)).toMatchObject({
      cursor: 9n,
      nextSequence: 2,
      revision: { id: 3, type: "raw" },
    });
    expect(readPositions(state.db, source)).toEqual([position(9n), position(5n)]);
    expect(nextWaiting(state, source, "ordinary")).toMatchObject({ key: objects[0]?.key, sequence: 1 });
    expect(nextWaiting(state, source, "emergency")).toMatchObject({ key: "other" });
  });

  it("changes nothing at all where one of its objects cannot be listed", () => {
    const state = newState();
    const source = newSource(state);
    commitExtraction(state, commitOf(source));
    const before = reread(state, source);
    const taken = { key: objectOf(source).key };
    const objects = [objectOf(before), objectOf(before, taken)];
    expect(() => commitExtraction(state, commitOf(before, { objects }))).toThrow(/UNIQUE/);
    expect(reread(state, source)).toEqual(before);
    expect(readPositions(state.db, source)).toEqual([position(1n)]);
    expect(countWaiting(state.db)).toMatchObject({ objects: 1 });
  });

  it("is refused where another extraction or generation came between", () => {
    const state = newState();
    const source = newSource(state);
    commitExtraction(state, commitOf(source));
    expect(() => commitExtraction(state, commitOf(source, { objects: [] }))).toThrow(/changed during/);
    const stale = reread(state, source);
    beginGeneration(state, stale, null, null);
    expect(() => commitExtraction(state, commitOf(stale, { objects: [] }))).toThrow(/changed during/);
    expect(reread(state, source)).toMatchObject({ cursor: null, generation: 2, nextSequence: 1 });
  });

  it("keeps rowids of 64 bits whole", () => {
    const state = newState();
    const source = newSource(state);
    const largest = 2n ** 63n - 1n;
    const objects = [objectOf(source, { firstRowid: -largest, lastRowid: largest })];
    commitExtraction(state, commitOf(source, { cursor: largest, positions: [position(largest)], objects }));
    expect(reread(state, source).cursor).toBe(largest);
    expect(readPositions(state.db, source)).toEqual([position(largest)]);
    expect(nextWaiting(state, source, "ordinary")).toMatchObject({
      firstRowid: -largest,
      lastRowid: largest,
    });
  });
});

describe("positions", () => {
  it("are kept whole for the recent past and thinned out for the past before it", () => {
    const state = newState();
    const source = newSource(state);
    const newest = 10_000;
    const positions = Array.from({ length: newest }, (_, index) => position(BigInt(index + 1)));
    commitExtraction(state, commitOf(source, { cursor: BigInt(newest), positions }));
    const kept = readPositions(state.db, source).map(({ rowid }) => Number(rowid));
    expect(kept.slice(0, 64)).toEqual(Array.from({ length: 64 }, (_, index) => newest - index));
    const older = kept.slice(64);
    expect(older.length).toBeGreaterThan(50);
    expect(older.length).toBeLessThanOrEqual(64);
    expect(older.every((rowid, index) => index === 0 || (older[index - 1] as number) - rowid === 64)).toBe(
      true,
    );
    expect(older.at(-1)).toBeLessThan(newest - 3_500);
  });

  it("of one source are not another's", () => {
    const state = newState();
    const [one, other] = [newSource(state, "one"), newSource(state, "other")];
    commitExtraction(state, commitOf(one));
    expect(readPositions(state.db, other)).toEqual([]);
  });

  it("above the one where a new generation goes on are forgotten, and so is a hold", () => {
    const state = newState();
    const source = newSource(state);
    const positions = [position(10n), position(20n), position(30n)];
    commitExtraction(state, commitOf(source, { cursor: 30n, positions }));
    setHold(state, source, { row: 31n, through: 40n, since: 1 });
    beginGeneration(state, reread(state, source), 20n, "of row 20");
    expect(reread(state, source)).toMatchObject({ generation: 2, cursor: 20n, nextSequence: 1, hold: null });
    expect(readPositions(state.db, source)).toEqual([position(20n), position(10n)]);
    expect(countWaiting(state.db), "what was extracted is still delivered").toMatchObject({ objects: 1 });

    beginGeneration(state, reread(state, source), null, null);
    expect(reread(state, source)).toMatchObject({ generation: 3, cursor: null });
    expect(readPositions(state.db, source)).toEqual([]);
  });
});
