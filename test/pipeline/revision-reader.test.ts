import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { PipelineType, Revision } from "../../src/core/types.ts";
import { PIPELINE_TYPES } from "../../src/core/types.ts";
import { ensureControlTables } from "../../src/pipeline/control-tables.ts";
import { chooseRevision, DEFAULT_REVISION, type FoundRevision } from "../../src/pipeline/revision.ts";
import {
  createRevisionReader,
  readEffectiveRevision,
  readHistory,
} from "../../src/pipeline/revision-reader.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import type { Connection } from "../../src/sqlite/open.ts";
import { openTemporary, temporaryDatabasePath } from "./temporary-database.ts";

const NOW = Date.parse("2026-07-31T10:00:00.000Z");

function insert(db: Connection, type: string, expiresAt: unknown = null): void {
  ensureControlTables(db);
  db.prepare(
    "INSERT INTO pipeline_config(pipeline_type, updated_at, updated_by, expires_at) VALUES (?, ?, 'test', ?)",
  ).run(type, new Date(NOW).toISOString(), expiresAt);
}

function typeAt(db: Connection, now: number): string {
  return chooseRevision(readEffectiveRevision(db, now), null, now).revision.type;
}

describe("the effective revision", () => {
  test("is raw by system before anybody has set a type", () => {
    const db = openTemporary();
    expect(readEffectiveRevision(db, NOW)).toEqual({ kind: "missing" });
    ensureControlTables(db);
    expect(readEffectiveRevision(db, NOW)).toEqual({ kind: "missing" });
    expect(chooseRevision({ kind: "missing" }, null, NOW)).toEqual({
      revision: expect.objectContaining({ id: 0, type: "raw", updatedBy: "system", reason: "Initial setup" }),
      nextExpiryMs: null,
    });
  });

  test("ends at its expiry, to the millisecond, and the one before it is in effect again", () => {
    const db = openTemporary();
    setPipelineType(db, { type: "aggregated", now: NOW });
    const { revision } = setPipelineType(db, { type: "emergency", forSeconds: 1800, now: NOW });
    expect(revision.expiresAt).toBe("2026-07-31T10:30:00.000Z");
    expect(readEffectiveRevision(db, NOW + 1_799_999)).toEqual({
      kind: "revision",
      revision,
      nextExpiryMs: NOW + 1_800_000,
      unreadableExpiry: null,
    });
    expect(readEffectiveRevision(db, NOW + 1_800_000)).toMatchObject({
      revision: { id: 1, type: "aggregated" },
      nextExpiryMs: null,
    });
  });

  test("is the default once all that was set has expired", () => {
    const db = openTemporary();
    const { revision } = setPipelineType(db, { type: "emergency", forSeconds: 60, now: NOW });
    const found = readEffectiveRevision(db, NOW + 60_000);
    expect(chooseRevision(found, revision, NOW + 60_000)).toEqual({
      revision: DEFAULT_REVISION,
      nextExpiryMs: null,
    });
  });

  test("is the newest by id, whatever the clock said when it was set", () => {
    const db = openTemporary();
    setPipelineType(db, { type: "aggregated", now: NOW });
    setPipelineType(db, { type: "schematized", now: Date.parse("1970-01-01") });
    expect(typeAt(db, NOW)).toBe("schematized");
  });

  test.each([
    ["2026-07-31 10:00:01", "emergency"],
    ["2026-07-31 09:59:59", "raw"],
    ["2026-07-31T12:30:00+02:00", "emergency"],
    ["2026-07-31T10:30:00+02:00", "raw"],
    ["2026-07-31", "raw"],
    ["2026-08-01", "emergency"],
  ])("understands the expiry %s that somebody wrote by hand: %s", (expiry, type) => {
    const db = openTemporary();
    insert(db, "emergency", expiry);
    expect(typeAt(db, NOW)).toBe(type);
  });

  test.each(["tomorrow", "", "0x", 1_785_000_000n])(
    'does not expire where the expiry "%s" is no time, and says so',
    (expiry) => {
      const db = openTemporary();
      insert(db, "emergency", expiry);
      const chosen = chooseRevision(readEffectiveRevision(db, NOW), null, NOW);
      expect(chosen.revision).toMatchObject({ type: "emergency", expiresAt: null });
      expect(chosen.nextExpiryMs).toBeNull();
      expect(chosen.warning).toContain(JSON.stringify(String(expiry)));
    },
  );

  test("does not fall back to an older row where the newest has a type that is not known", () => {
    const db = openTemporary();
    insert(db, "aggregated");
    insert(db, "quantum", "2026-07-31T10:30:00.000Z");
    const found = readEffectiveRevision(db, NOW);
    expect(found).toMatchObject({
      kind: "unknownType",
      id: 2,
      unknownType: "quantum",
      nextExpiryMs: NOW + 1_800_000,
    });
    expect(readEffectiveRevision(db, NOW + 1_800_000)).toMatchObject({ revision: { type: "aggregated" } });
  });
});

describe("a reader that is kept", () => {
  test("notices a table that is made, gets the column for the expiry, and vanishes", () => {
    const path = temporaryDatabasePath();
    const writer = openTemporary(path);
    const reader = createRevisionReader(openTemporary(path, { mode: "read" }));
    expect(reader.read(NOW).kind).toBe("missing");
    writer.exec("CREATE TABLE pipeline_config(id INTEGER PRIMARY KEY, pipeline_type TEXT)");
    writer.exec("INSERT INTO pipeline_config(pipeline_type) VALUES ('schematized')");
    expect(reader.read(NOW)).toMatchObject({
      revision: { id: 1, type: "schematized", updatedBy: "unknown" },
    });
    setPipelineType(writer, { type: "emergency", forSeconds: 60, now: NOW });
    expect(reader.read(NOW)).toMatchObject({ revision: { type: "emergency" }, nextExpiryMs: NOW + 60_000 });
    expect(reader.read(NOW + 60_000)).toMatchObject({ revision: { type: "schematized" } });
    writer.exec("DROP TABLE pipeline_config");
    expect(reader.read(NOW).kind).toBe("missing");
  });

  test("sees what the caller's read transaction sees, and leaves it open", () => {
    const path = temporaryDatabasePath();
    const writer = openTemporary(path);
    setPipelineType(writer, { type: "aggregated", now: NOW });
    const db = openTemporary(path, { mode: "read" });
    db.defaultSafeIntegers(true);
    const reader = createRevisionReader(db);
    db.exec("BEGIN");
    expect(reader.read(NOW)).toMatchObject({ revision: { id: 1, type: "aggregated" } });
    setPipelineType(writer, { type: "emergency", now: NOW });
    expect(reader.read(NOW)).toMatchObject({ revision: { id: 1, type: "aggregated" } });
    expect(db.inTransaction).toBe(true);
    db.exec("COMMIT");
    expect(reader.read(NOW)).toMatchObject({ revision: { id: 2, type: "emergency" } });
    expect(db.inTransaction).toBe(false);
  });

  test("refuses a table that is something else", () => {
    const db = openTemporary();
    db.exec("CREATE TABLE pipeline_config(name TEXT, value TEXT)");
    const reader = createRevisionReader(db);
    const unavailable = expect.objectContaining({ code: "CONTROL_UNAVAILABLE" });
    expect(() => reader.read(NOW)).toThrow(unavailable);
    expect(() => reader.read(NOW)).toThrow(unavailable);
    db.exec("DROP TABLE pipeline_config");
    expect(reader.read(NOW).kind).toBe("missing");
  });
});

describe("the choice", () => {
  const emergency: Revision = {
    id: 7,
    type: "emergency",
    updatedAt: "2026-07-31T10:00:00.000Z",
    updatedBy: "test",
    reason: null,
    expiresAt: null,
  };
  const unknown: FoundRevision = {
    kind: "unknownType",
    id: 8,
    unknownType: "quantum",
    recorded: { ...emergency, id: 8, type: "quantum" },
    nextExpiryMs: NOW + 500,
  };

  test("keeps the last known type where the newest is unknown or the history has vanished, and warns", () => {
    expect(chooseRevision(unknown, emergency, NOW)).toEqual({
      revision: emergency,
      nextExpiryMs: NOW + 500,
      warning: expect.stringMatching(/"quantum".*emergency stays/),
    });
    expect(chooseRevision({ kind: "missing" }, emergency, NOW)).toEqual({
      revision: emergency,
      nextExpiryMs: null,
      warning: expect.stringMatching(/vanished.*emergency stays/),
    });
  });

  test("keeps it no longer than it was to last, and asks to be made again then", () => {
    const brief = { ...emergency, expiresAt: new Date(NOW + 100).toISOString() };
    for (const found of [unknown, { kind: "missing" } as const]) {
      expect(chooseRevision(found, brief, NOW)).toMatchObject({ revision: brief, nextExpiryMs: NOW + 100 });
      expect(chooseRevision(found, brief, NOW + 100)).toMatchObject({
        revision: DEFAULT_REVISION,
        warning: expect.stringContaining("raw stays"),
      });
    }
  });

  test("does not warn of a history that there never was", () => {
    expect(chooseRevision({ kind: "missing" }, DEFAULT_REVISION, NOW).warning).toBeUndefined();
  });
});

/** One thing that happens to a database, and what it does to the model: rows that are never taken back. */
type Event =
  | { readonly kind: "set"; readonly type: PipelineType; readonly forSeconds: number | undefined }
  | { readonly kind: "unknown"; readonly forSeconds: number | undefined }
  | { readonly kind: "clock"; readonly bySeconds: number }
  | { readonly kind: "drop" };

const lasting = fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined });
const event: fc.Arbitrary<Event> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("set"),
      type: fc.constantFrom(...PIPELINE_TYPES),
      forSeconds: lasting,
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("unknown"), forSeconds: lasting }) },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("clock"), bySeconds: fc.integer({ min: -40, max: 60 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("drop") }) },
) as fc.Arbitrary<Event>;

test("whatever is set, expires, is unknown or vanishes, the type in effect is that of a simple model", () => {
  const path = temporaryDatabasePath();
  const writer = openTemporary(path);
  const reader = createRevisionReader(openTemporary(path, { mode: "read" }));
  fc.assert(
    fc.property(fc.array(event, { maxLength: 14 }), (events) => {
      writer.exec("DROP TABLE IF EXISTS pipeline_config");
      let rows: { type: string; end: number }[] = [];
      let now = NOW;
      let known: { type: string; end: number } = { type: "raw", end: Infinity };
      let lastKnown: Revision | null = null;
      for (const happened of events) {
        if (happened.kind === "clock") now += happened.bySeconds * 1_000;
        else if (happened.kind === "drop") {
          writer.exec("DROP TABLE IF EXISTS pipeline_config");
          rows = [];
        } else {
          const end = happened.forSeconds === undefined ? Infinity : now + happened.forSeconds * 1_000;
          rows.unshift({ type: happened.kind === "set" ? happened.type : "quantum", end });
          if (happened.kind === "set") setPipelineType(writer, { ...happened, now });
          else insert(writer, "quantum", end === Infinity ? null : new Date(end).toISOString());
        }
        const newest = rows.find(({ end }) => end > now);
        if (newest !== undefined && newest.type !== "quantum") known = newest;
        else if (newest === undefined && rows.length > 0) known = { type: "raw", end: Infinity };
        else if (known.end <= now) known = { type: "raw", end: Infinity };

        const chosen = chooseRevision(reader.read(now), lastKnown, now);
        lastKnown = chosen.revision;
        expect(chosen.revision.type).toBe(known.type);
        const ends = [known.end, ...(newest === undefined ? [] : [newest.end])];
        expect(chosen.nextExpiryMs ?? Infinity).toBe(Math.min(...ends));
      }
      expect(readHistory(writer, 100).map(({ type }) => type)).toEqual(rows.map(({ type }) => type));
    }),
    { numRuns: 150 },
  );
});
