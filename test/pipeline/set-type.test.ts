import { userInfo } from "node:os";
import { expect, test } from "vitest";
import { readHistory } from "../../src/pipeline/revision-reader.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import { openTemporary } from "./temporary-database.ts";

const NOW = Date.parse("2026-07-31T10:00:00.000Z");

test("appends what was asked for, by whom and why, and tells what was in effect before", () => {
  const db = openTemporary();
  expect(setPipelineType(db, { type: "aggregated", by: "alice", reason: "thin line", now: NOW })).toEqual({
    revision: {
      id: 1,
      type: "aggregated",
      updatedAt: "2026-07-31T10:00:00.000Z",
      updatedBy: "alice",
      reason: "thin line",
      expiresAt: null,
    },
    previous: { kind: "missing" },
  });
  const second = setPipelineType(db, { type: "raw", forSeconds: 0.5, now: NOW });
  expect(second.revision).toMatchObject({ id: 2, reason: null, expiresAt: "2026-07-31T10:00:00.500Z" });
  expect(second.previous).toMatchObject({ revision: { id: 1, type: "aggregated" } });
});

test("records the operating system's user where nobody is named", () => {
  const db = openTemporary();
  expect(setPipelineType(db, { type: "raw", now: NOW }).revision.updatedBy).toBe(userInfo().username);
});

test("records the type that is in effect already", () => {
  const db = openTemporary();
  for (const reason of ["one", "two"]) setPipelineType(db, { type: "emergency", reason, now: NOW });
  expect(readHistory(db, 10).map(({ id, reason }) => [id, reason])).toEqual([
    [2, "two"],
    [1, "one"],
  ]);
  expect(readHistory(db, 1).map(({ id }) => id)).toEqual([2]);
});

test("never gives an id twice, not even after the history was deleted", () => {
  const db = openTemporary();
  setPipelineType(db, { type: "emergency", now: NOW });
  db.exec("DELETE FROM pipeline_config");
  expect(setPipelineType(db, { type: "raw", now: NOW }).revision.id).toBe(2);
});

test("names the file that another connection has locked, and writes nothing", () => {
  const db = openTemporary();
  setPipelineType(db, { type: "raw", now: NOW });
  const impatient = openTemporary(db.name, { mode: "write", busyTimeoutMs: 0 });
  db.exec("BEGIN IMMEDIATE");
  expect(() => setPipelineType(impatient, { type: "emergency", now: NOW })).toThrow(
    expect.objectContaining({ code: "SOURCE_LOCKED", message: expect.stringContaining(db.name) }),
  );
  db.exec("COMMIT");
  expect(readHistory(db, 10)).toHaveLength(1);
});
