import { existsSync } from "node:fs";
import { expect, it } from "vitest";
import type { OutboxObject } from "../../src/core/types.ts";
import {
  countWaiting,
  markRecorded,
  nextWaiting,
  noteFailure,
  readExecutionChanges,
  strike,
} from "../../src/outbox/objects.ts";
import { NOW, newSourceOfTwo, newState, reread } from "./new-state.ts";

function setUp() {
  const state = newState();
  const source = newSourceOfTwo(state);
  return { state, source, first: nextWaiting(state, source, "ordinary") as OutboxObject };
}

it("objects wait in the order of their extraction until they are struck, and their files with them", () => {
  const { state, source, first } = setUp();
  expect(first.sequence).toBe(1);
  strike(state, source, first, NOW);
  expect(existsSync(first.path)).toBe(false);
  const second = nextWaiting(state, source, "ordinary") as OutboxObject;
  expect(second.sequence).toBe(2);
  expect(existsSync(second.path)).toBe(true);
  expect(countWaiting(state.db)).toEqual({ objects: 1, rows: 1, bytes: 100 });
  expect(reread(state, source).delivered).toEqual({ objects: 1, rows: 1, bytes: 100 });
  strike(state, source, second, NOW);
  expect(nextWaiting(state, source, "ordinary")).toBeNull();
});

it("each change of an object is told once, and a delivered one is then gone", () => {
  const { state, source, first } = setUp();
  const tell = () => {
    const changes = readExecutionChanges(state, 10);
    markRecorded(state, changes);
    return changes.map(({ object, status, error }) => [object.sequence, status, error]);
  };
  expect(tell()).toEqual([
    [1, "pending", null],
    [2, "pending", null],
  ]);
  expect(tell()).toEqual([]);
  noteFailure(state, first, "the server is away");
  expect(tell()).toEqual([[1, "failed", "the server is away"]]);
  strike(state, source, first, NOW);
  expect(tell()).toEqual([[1, "delivered", null]]);
  expect(tell()).toEqual([]);
  const left = state.db.prepare("SELECT sequence FROM objects").pluck().all();
  expect(left).toEqual([2]);
});

it("what was delivered between two looks is told as delivered", () => {
  const { state, source, first } = setUp();
  const changes = readExecutionChanges(state, 10);
  strike(state, source, first, NOW);
  markRecorded(state, changes);
  expect(readExecutionChanges(state, 10).map(({ status }) => status)).toEqual(["delivered"]);
});
