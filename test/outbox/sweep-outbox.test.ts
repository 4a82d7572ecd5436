import { mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { OutboxObject } from "../../src/core/types.ts";
import { nextWaiting, strike } from "../../src/outbox/objects.ts";
import { assertNotOlder, sweepOutbox } from "../../src/outbox/sweep-outbox.ts";
import { NOW, newSourceOfTwo, newState } from "./new-state.ts";

/** Two extractions of source 1 are committed, and the object of the first is struck. */
function setUp() {
  const state = newState();
  const source = newSourceOfTwo(state);
  strike(state, source, nextWaiting(state, source, "ordinary") as OutboxObject, NOW);
  const listed = readdirSync(state.files.outbox);
  expect(listed).toHaveLength(1);
  const put = (file: string, contents: string) => writeFileSync(join(state.files.outbox, file), contents);
  return { state, listed, put, left: () => readdirSync(state.files.outbox).sort() };
}

const WHOLE = "PAR1 and some rows PAR1";
const STRUCK = "1-1-1-raw-1.parquet";
const NEXT = "1-1-3-raw-1.parquet";
const LATER = ["1-1-4-raw-2.parquet", "1-2-1-raw-1.parquet", "2-1-1-raw-1.parquet"];

describe("a sweep", () => {
  it("removes the files that the state does not list, and no other", () => {
    const { state, listed, put, left } = setUp();
    for (const file of [STRUCK, NEXT]) put(file, WHOLE);
    put("1-1-3-emergency-1.parquet", "PAR1 and half a r");
    put("notes.txt", "");
    mkdirSync(join(state.files.outbox, "folder"));
    const swept = sweepOutbox(state, { isOwned: true });
    expect(swept.sort()).toEqual([STRUCK, "1-1-3-emergency-1.parquet", NEXT, "folder", "notes.txt"].sort());
    expect(left()).toEqual(listed);
    expect(sweepOutbox(state, { isOwned: true })).toEqual([]);
  });

  it("keeps what a later state may have listed, until the markers say that there is none", () => {
    const { state, listed, put, left } = setUp();
    for (const file of [STRUCK, NEXT, ...LATER]) put(file, WHOLE);
    put("1-1-3-emergency-1.parquet", "PAR1 and half a r");
    expect(sweepOutbox(state, { isOwned: false }).sort()).toEqual(
      [STRUCK, "1-1-3-emergency-1.parquet"].sort(),
    );
    expect(left()).toEqual([...listed, NEXT, ...LATER].sort());
  });
});

describe("a state", () => {
  it.each(LATER)("is older than an outbox that holds %s, and is refused", (file) => {
    const { state, put, left } = setUp();
    put(file, WHOLE);
    const before = left();
    expect(() => assertNotOlder(state)).toThrow(
      expect.objectContaining({
        code: "STATE_DAMAGED",
        message: expect.stringMatching(new RegExp(`older than the outbox beside it.*${file}`)),
        hint: expect.stringContaining("uploader state rebuild"),
      }),
    );
    expect(left()).toEqual(before);
  });

  it("is not, where there is what a crash leaves", () => {
    const { state, put } = setUp();
    for (const file of [STRUCK, NEXT]) put(file, WHOLE);
    for (const file of LATER) put(file, "PAR1 and half a r");
    expect(() => assertNotOlder(state)).not.toThrow();
  });
});
