import { createHash, randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { UploaderError } from "../../src/core/errors.ts";
import { formatObjectKey } from "../../src/core/object-key.ts";
import type { ObjectToPut, Sink } from "../../src/sink/sink.ts";

/** A place for objects, new for each test, and the test's own eyes for it. */
export interface Place {
  readonly bucket: string;
  /** Each call gives another sink for the same place, as another process would have. */
  open(): Sink;
  /** What is under a key, read past the sink; null where there is nothing. */
  contents(key: string): Promise<Buffer | null>;
  /** Null where the place keeps none. */
  metadata(key: string): Promise<Record<string, string> | null>;
  /** What an object that was not completed leaves behind: open multipart uploads, temporary files. */
  leftovers(): Promise<string[]>;
  /** Leaves what a crash leaves of a large object that is on its way. */
  leaveUnfinished(key: string): Promise<void>;
}

export interface Traits {
  /** False where buckets are made as they are needed. */
  readonly needsBuckets: boolean;
  /** False where the test server looks and writes in two steps, so that of writers at one moment two may win. */
  readonly atomicConditions: boolean;
}

/** Larger than what the sinks put in one request. */
const LARGE_BYTES = 20 * 1024 * 1024 + 17;

/** What every sink must do; src/sink/sink.ts says it in words. */
export function itKeepsTheContract(traits: Traits, openPlace: () => Promise<Place>): void {
  const files = useFiles();
  let place: Place;
  let sink: Sink;
  beforeEach(async () => {
    place = await openPlace();
    sink = place.open();
  });
  afterEach(() => sink.close());

  describe("put", () => {
    it("stores exactly the bytes of the file, and its metadata", async () => {
      const object = files.object(place, "raw/t/a.parquet", randomBytes(100_000), {
        rows: "7",
        node: "edge-1",
      });
      expect(await sink.put(object)).toBe("stored");
      expect(await place.contents(object.key)).toEqual(files.bytes(object));
      const metadata = await place.metadata(object.key);
      if (metadata) expect(metadata).toEqual({ rows: "7", node: "edge-1", sha256: object.sha256 });
      expect(await place.leftovers()).toEqual([]);
    });

    it("stores a name with any safe character", async () => {
      const key = "rejected/raw/x_y.Z-0a1b/ingest_date=2026-01-02/n.o_d-e-0001-n000-1of1.parquet";
      await sink.put(files.object(place, key, randomBytes(10)));
      expect(await place.contents(key)).toHaveLength(10);
    });

    it("takes the same bytes under the same key for delivered", async () => {
      const object = files.object(place, "raw/t/a.parquet", randomBytes(1000));
      await sink.put(object);
      expect(await sink.put(object)).toBe("found");
      const again = place.open();
      expect(await again.put(object)).toBe("found");
      again.close();
    });

    it("refuses other bytes under the same key and leaves the first ones there", async () => {
      const first = files.object(place, "raw/t/a.parquet", randomBytes(1000));
      const second = files.object(place, "raw/t/a.parquet", randomBytes(1000));
      await sink.put(first);
      await expect(sink.put(second)).rejects.toMatchObject({ code: "SINK_CONFLICT" });
      expect(await place.contents(first.key)).toEqual(files.bytes(first));
      expect(await place.leftovers()).toEqual([]);
    });

    it("stores and finds a large object", async () => {
      const object = files.object(place, "raw/t/large.parquet", randomBytes(LARGE_BYTES), { rows: "9" });
      expect(await sink.put(object)).toBe("stored");
      expect(sha256(await place.contents(object.key))).toBe(object.sha256);
      const metadata = await place.metadata(object.key);
      if (metadata) expect(metadata).toEqual({ rows: "9", sha256: object.sha256 });
      expect(await sink.put(object)).toBe("found");
      expect(await place.leftovers()).toEqual([]);
    });

    it("refuses a large object over another one", async () => {
      const first = files.object(place, "raw/t/large.parquet", randomBytes(10));
      await sink.put(first);
      const second = files.object(place, "raw/t/large.parquet", randomBytes(LARGE_BYTES));
      await expect(sink.put(second)).rejects.toMatchObject({ code: "SINK_CONFLICT" });
      expect(await place.contents(first.key)).toEqual(files.bytes(first));
      expect(await place.leftovers()).toEqual([]);
    });

    if (traits.atomicConditions)
      it("stores one of several objects that are put at the same moment", async () => {
        const sinks = Array.from({ length: 6 }, () => place.open());
        const objects = sinks.map(() => files.object(place, "raw/t/a.parquet", randomBytes(50_000)));
        const results = await Promise.allSettled(objects.map((object, index) => sinks[index]?.put(object)));
        for (const each of sinks) each.close();
        const stored = objects.filter((_, index) => results[index]?.status === "fulfilled");
        expect(results.map(outcome).sort()).toEqual([...Array(5).fill("SINK_CONFLICT"), "stored"]);
        expect(await place.contents("raw/t/a.parquet")).toEqual(files.bytes(stored[0] as ObjectToPut));
        expect(await place.leftovers()).toEqual([]);
      });

    it("calls an object that is put twice at the same moment delivered, twice", async () => {
      const object = files.object(place, "raw/t/a.parquet", randomBytes(50_000));
      const other = place.open();
      const results = await Promise.all([sink.put(object), other.put(object)]);
      other.close();
      expect(["stored", "found"]).toEqual(expect.arrayContaining(results));
      expect(await place.contents(object.key)).toEqual(files.bytes(object));
    });

    it("asks before a large object appears, and stores nothing of it where the answer is no", async () => {
      const object = files.object(place, "raw/t/large.parquet", randomBytes(LARGE_BYTES));
      const refusal = new UploaderError({ code: "OWNED_BY_ANOTHER", message: "told by the test" });
      let asked = 0;
      const ask = async () => {
        asked++;
        expect(await place.contents(object.key)).toBeNull();
        if (asked === 1) throw refusal;
      };
      await expect(sink.put(object, undefined, ask)).rejects.toBe(refusal);
      expect(await place.contents(object.key)).toBeNull();
      expect(await place.leftovers()).toEqual([]);
      expect(await sink.put(object, undefined, ask)).toBe("stored");
      expect(sha256(await place.contents(object.key))).toBe(object.sha256);
      expect(asked).toBe(2);
    });

    for (const [size, bytes] of [
      ["small", 5000],
      ["large", LARGE_BYTES],
    ] as const) {
      it(`refuses a ${size} file that was changed, cut, lengthened or lost`, async () => {
        const object = files.object(place, "raw/t/a.parquet", randomBytes(bytes));
        const whole = files.bytes(object);
        const flipped = Buffer.from(whole);
        flipped[bytes - 2] = ~(flipped[bytes - 2] ?? 0);
        for (const damaged of [
          flipped,
          whole.subarray(0, -1),
          Buffer.concat([whole, whole.subarray(0, 1)]),
        ]) {
          writeFileSync(object.path, damaged);
          await expect(sink.put(object)).rejects.toMatchObject({ code: "OUTBOX_DAMAGED" });
        }
        rmSync(object.path);
        await expect(sink.put(object)).rejects.toMatchObject({ code: "OUTBOX_DAMAGED" });
        expect(await place.contents(object.key)).toBeNull();
        expect(await place.leftovers()).toEqual([]);
      });

      it(`leaves nothing of a ${size} object when it is aborted`, async () => {
        const object = files.object(place, "raw/t/a.parquet", randomBytes(bytes));
        const reason = new Error("stopped by the test");
        await expect(sink.put(object, AbortSignal.abort(reason))).rejects.toBe(reason);
        expect(await place.contents(object.key)).toBeNull();
        expect(await place.leftovers()).toEqual([]);
      });
    }

    if (traits.needsBuckets)
      it("names a bucket that is missing", async () => {
        const object = {
          ...files.object(place, "raw/t/a.parquet", randomBytes(10)),
          bucket: `no-${randomUUID()}`,
        };
        await expect(sink.put(object)).rejects.toMatchObject({
          code: "SINK_BUCKET_MISSING",
          message: expect.stringContaining(object.bucket),
          hint: expect.stringContaining("Create the bucket"),
        });
      });
  });

  describe("markers", () => {
    const key = "_owner/edge-1/readings.json";

    it("are made only where there is none", async () => {
      expect(await sink.readMarker(place.bucket, key)).toBeNull();
      const version = await sink.writeMarker(place.bucket, key, '{"id":"é"}', null);
      expect(version).not.toBeNull();
      expect(await sink.readMarker(place.bucket, key)).toEqual({ text: '{"id":"é"}', version });
      expect(await sink.writeMarker(place.bucket, key, '{"id":"b"}', null)).toBeNull();
      expect((await sink.readMarker(place.bucket, key))?.text).toBe('{"id":"é"}');
    });

    it("are replaced only by who knows the version that is there", async () => {
      const first = await sink.writeMarker(place.bucket, key, "1", null);
      const second = await sink.writeMarker(place.bucket, key, "2", first);
      expect(second).not.toBeNull();
      expect(await sink.writeMarker(place.bucket, key, "3", first)).toBeNull();
      expect(await sink.readMarker(place.bucket, key)).toEqual({ text: "2", version: second });
    });

    it("are not made by a replacement", async () => {
      const version = await sink.writeMarker(place.bucket, key, "1", null);
      expect(await sink.writeMarker(place.bucket, "_owner/edge-2/readings.json", "2", version)).toBeNull();
      expect(await sink.readMarker(place.bucket, "_owner/edge-2/readings.json")).toBeNull();
    });

    if (traits.atomicConditions)
      it("are replaced by one of several at the same moment", async () => {
        const version = await sink.writeMarker(place.bucket, key, "0", null);
        const sinks = Array.from({ length: 6 }, () => place.open());
        const written = await Promise.all(
          sinks.map((each, index) => each.writeMarker(place.bucket, key, `by ${index}`, version)),
        );
        for (const each of sinks) each.close();
        const winners = written.flatMap((each, index) => (each === null ? [] : [index]));
        expect(winners).toHaveLength(1);
        expect((await sink.readMarker(place.bucket, key))?.text).toBe(`by ${winners[0]}`);
      });

    if (traits.needsBuckets)
      it("are not missing where the bucket is", async () => {
        const bucket = `no-${randomUUID()}`;
        await expect(sink.readMarker(bucket, key)).rejects.toMatchObject({ code: "SINK_BUCKET_MISSING" });
        await expect(sink.writeMarker(bucket, key, "1", null)).rejects.toMatchObject({
          code: "SINK_BUCKET_MISSING",
        });
        await expect(sink.writeMarker(bucket, key, "1", '"v"')).rejects.toMatchObject({
          code: "SINK_BUCKET_MISSING",
        });
      });
  });

  describe("list and read", () => {
    it("gives the objects below a prefix in the order of their keys", async () => {
      const keys = [
        "raw/t/b.parquet",
        "raw/t-2/a.parquet",
        "raw/t/a/c.parquet",
        "raw/t.x/a.parquet",
        "raw/u/a.parquet",
      ];
      for (const [index, key] of keys.entries())
        await sink.put(files.object(place, key, randomBytes(index + 1)));
      expect(await collect(sink.list(place.bucket, "raw/t"))).toEqual([
        { key: "raw/t-2/a.parquet", bytes: 2 },
        { key: "raw/t.x/a.parquet", bytes: 4 },
        { key: "raw/t/a/c.parquet", bytes: 3 },
        { key: "raw/t/b.parquet", bytes: 1 },
      ]);
      expect((await collect(sink.list(place.bucket, "raw/t/"))).map(({ key }) => key)).toEqual([
        "raw/t/a/c.parquet",
        "raw/t/b.parquet",
      ]);
      expect(await collect(sink.list(place.bucket, ""))).toHaveLength(5);
      expect(await collect(sink.list(place.bucket, "aggregated/"))).toEqual([]);
    });

    it("reads an object, and says so where there is none", async () => {
      const object = files.object(place, "raw/t/a.parquet", randomBytes(1000));
      await sink.put(object);
      expect(Buffer.from(await sink.read(place.bucket, object.key))).toEqual(files.bytes(object));
      await expect(sink.read(place.bucket, "raw/t/b.parquet")).rejects.toMatchObject({
        code: "SINK_REJECTED",
      });
    });

    if (traits.needsBuckets)
      it("names a bucket that is missing", async () => {
        const bucket = `no-${randomUUID()}`;
        await expect(collect(sink.list(bucket, ""))).rejects.toMatchObject({ code: "SINK_BUCKET_MISSING" });
      });
  });

  it("removes what unfinished tries left of one source, and nothing of another", async () => {
    const keyOf = (node: string, table: string, sequence: number, rejected = false) =>
      formatObjectKey({
        ...{ route: { type: "raw", rejected }, node, table, generation: 1, sequence, part: 1, parts: 1 },
        ...{ range: { first: 1n, last: 9n }, rows: 9, ingestDate: "2026-01-02" },
      });
    const of = { route: { type: "raw", rejected: false }, node: "edge-1", table: "readings" } as const;
    await sink.discardUnfinished(place.bucket, of);
    const others = [keyOf("edge-1", "readings", 1, true), keyOf("edge-1-1", "readings", 1)];
    others.push(keyOf("edge-1", "readings-2", 1));
    for (const key of others) await place.leaveUnfinished(key);
    const left = await place.leftovers();
    for (const sequence of [1, 2, 2]) await place.leaveUnfinished(keyOf("edge-1", "readings", sequence));
    const stored = files.object(place, keyOf("edge-1", "readings", 3), randomBytes(1000));
    await sink.put(stored);
    expect(await place.leftovers()).toHaveLength(others.length + 3);
    await sink.discardUnfinished(place.bucket, of);
    expect((await place.leftovers()).sort()).toEqual(left.sort());
    expect(await place.contents(stored.key)).toEqual(files.bytes(stored));
  });

  it("says where a bucket is", () => {
    expect(sink.describe(place.bucket)).toContain(place.bucket);
  });
}

/** Files of the outbox for a suite, in a folder that goes when the suite is over. */
export function useFiles() {
  let folder: string;
  const contents = new Map<string, Buffer>();
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "outbox-"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return {
    object(
      place: { bucket: string },
      key: string,
      bytes: Buffer,
      metadata: Record<string, string> = {},
    ): ObjectToPut {
      const path = join(folder, randomUUID());
      mkdirSync(folder, { recursive: true });
      writeFileSync(path, bytes);
      contents.set(path, bytes);
      return { bucket: place.bucket, key, path, bytes: bytes.length, sha256: sha256(bytes), metadata };
    },
    bytes: (object: ObjectToPut) => contents.get(object.path) as Buffer,
  };
}

export async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = [];
  for await (const item of items) all.push(item);
  return all;
}

export function sha256(bytes: Uint8Array | null): string {
  return createHash("sha256")
    .update(bytes ?? "")
    .digest("hex");
}

function outcome(result: PromiseSettledResult<string | undefined>): string {
  return result.status === "fulfilled" ? String(result.value) : (result.reason as UploaderError).code;
}
