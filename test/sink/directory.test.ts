import { randomBytes, randomUUID } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createDirectorySink } from "../../src/sink/directory.ts";
import { temporaryPrefix } from "../../src/sink/directory-paths.ts";
import { itKeepsTheContract, type Place, useFiles } from "./contract.ts";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lake-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function openDirectoryPlace(): Promise<Place & { directory: string }> {
  const directory = join(mkdtempSync(join(folder, "d-")), "not", "there", "yet");
  const bucket = "edge-databricks-raw-us-east-1";
  return {
    directory,
    bucket,
    open: () => createDirectorySink({ directory }),
    contents: async (key) => readIfThere(join(directory, bucket, key)),
    metadata: async () => null,
    leftovers: async () => namesIn(join(directory, bucket, ".uploading")),
    async leaveUnfinished(key) {
      mkdirSync(join(directory, bucket, ".uploading"), { recursive: true });
      writeFileSync(
        join(directory, bucket, ".uploading", `${temporaryPrefix(key)}${randomUUID()}`),
        "half of",
      );
    },
  };
}

describe("the contract of sinks in a directory", () => {
  itKeepsTheContract({ needsBuckets: false, atomicConditions: true }, openDirectoryPlace);
});

describe("the directory sink", () => {
  const files = useFiles();

  it("puts an object at {directory}/{bucket}/{key} and leaves nothing else there", async () => {
    const place = await openDirectoryPlace();
    const sink = place.open();
    await sink.put(files.object(place, "raw/t/ingest_date=2026-01-02/a.parquet", randomBytes(10)));
    sink.close();
    expect(readdirSync(place.directory, { recursive: true }).sort()).toEqual([
      place.bucket,
      `${place.bucket}/raw`,
      `${place.bucket}/raw/t`,
      `${place.bucket}/raw/t/ingest_date=2026-01-02`,
      `${place.bucket}/raw/t/ingest_date=2026-01-02/a.parquet`,
    ]);
  });

  it("removes what a crash left of an object when the object is put again", async () => {
    const place = await openDirectoryPlace();
    const object = files.object(place, "raw/t/a.parquet", randomBytes(1000));
    const temporary = join(place.directory, place.bucket, ".uploading");
    mkdirSync(temporary, { recursive: true });
    writeFileSync(join(temporary, `${temporaryPrefix(object.key)}crashed`), "half of");
    writeFileSync(join(temporary, `${temporaryPrefix("raw/t/b.parquet")}under-way`), "of another");
    const sink = place.open();
    expect(await sink.put(object)).toBe("stored");
    expect(await place.leftovers()).toEqual([`${temporaryPrefix("raw/t/b.parquet")}under-way`]);
    expect(await place.contents(object.key)).toEqual(files.bytes(object));
    sink.close();
  });

  it("does not list objects that are not complete", async () => {
    const place = await openDirectoryPlace();
    mkdirSync(join(place.directory, place.bucket, ".uploading"), { recursive: true });
    writeFileSync(join(place.directory, place.bucket, ".uploading", "half"), "half of");
    const sink = place.open();
    for await (const object of sink.list(place.bucket, "")) expect(object).toBeUndefined();
    sink.close();
  });

  it("lets no key out of its directory", async () => {
    const place = await openDirectoryPlace();
    const sink = place.open();
    const outside = join(place.directory, "..", "outside");
    for (const key of [
      "../outside",
      "raw/../../../outside",
      "/outside",
      "raw//a",
      "./a",
      "a\\b",
      "",
      ".uploading/a",
    ])
      await expect(sink.put(files.object(place, key, randomBytes(10))), key).rejects.toMatchObject({
        code: "SINK_REJECTED",
      });
    for (const bucket of ["..", ".", "a/b", "", ".markers.db"])
      await expect(
        sink.put({ ...files.object(place, "a", randomBytes(10)), bucket }),
        bucket,
      ).rejects.toMatchObject({
        code: "SINK_REJECTED",
      });
    await expect(sink.writeMarker(place.bucket, "../../outside", "1", null)).rejects.toMatchObject({
      code: "SINK_REJECTED",
    });
    expect(readIfThere(outside)).toBeNull();
    sink.close();
  });

  it("says what is wrong where a folder cannot be made", async () => {
    const place = await openDirectoryPlace();
    const file = join(folder, "a-file");
    writeFileSync(file, "");
    const sink = createDirectorySink({ directory: join(file, "lake") });
    const refusal = { code: "SINK_REJECTED", message: expect.stringContaining(file) };
    await expect(sink.put(files.object(place, "raw/a", randomBytes(10)))).rejects.toMatchObject(refusal);
    await expect(sink.writeMarker("bucket", "_owner/a", "1", null)).rejects.toMatchObject(refusal);
    sink.close();
  });
});

function readIfThere(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

function namesIn(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
