import type { Vector } from "apache-arrow";
import type { BucketNames } from "./config/settings.ts";
import { UploaderError } from "./core/errors.ts";
import { safeName } from "./core/names.ts";
import { objectKeyPrefix, ownerKey, parseObjectKey } from "./core/object-key.ts";
import { rangesOfRowids } from "./core/row-ranges.ts";
import { PIPELINE_TYPES, type RowRange } from "./core/types.ts";
import { readObjectColumns, readObjectFooter } from "./encode/read-object.ts";
import { type MarkerText, parseMarker } from "./ownership.ts";
import type { FoundObject } from "./rebuild-extractions.ts";
import type { Marker, Sink } from "./sink/sink.ts";

/** What the buckets hold of one source. */
export interface Survey {
  readonly marker: Marker | null;
  /** What the marker says; null where there is none, or none that can be read. */
  readonly owner: MarkerText | null;
  readonly objects: readonly FoundObject[];
}

export interface Surveyor {
  survey(table: string): Promise<Survey>;
  /** The rows that an object holds; it is read once. */
  rowsOf(object: FoundObject): Promise<readonly RowRange[]>;
  /** Columns of an object by name, of those that it has. */
  columnsOf(object: FoundObject, names: readonly string[]): Promise<ReadonlyMap<string, Vector>>;
  /** What was written into an object when it was begun. */
  footerOf(object: FoundObject): Promise<ReadonlyMap<string, string>>;
}

export interface SurveyorOptions {
  readonly sink: Sink;
  readonly node: string;
  readonly buckets: BucketNames;
  /** Called as keys are listed, with how many there were so far. */
  readonly onListed: (keys: number) => void;
}

/** Looks at what is in the buckets, and changes nothing there. */
export function createSurveyor({ sink, node, buckets, onListed }: SurveyorOptions): Surveyor {
  const rows = new Map<string, readonly RowRange[]>();

  async function listObjects(table: string): Promise<FoundObject[]> {
    const found: FoundObject[] = [];
    let keys = 0;
    for (const type of PIPELINE_TYPES) {
      for (const rejected of [false, true]) {
        const bucket = buckets[type];
        for await (const { key, bytes } of sink.list(bucket, objectKeyPrefix({ type, rejected }, table))) {
          onListed(++keys);
          const name = parseObjectKey(key);
          if (name?.node === safeName(node) && name.table === safeName(table))
            found.push({ bucket, key, bytes, name });
        }
      }
    }
    return found;
  }

  async function readWith<Result>(object: FoundObject, read: (bytes: Uint8Array) => Promise<Result>) {
    const bytes = await sink.read(object.bucket, object.key);
    try {
      return await read(bytes);
    } catch (cause) {
      throw unreadable(object, (cause as Error).message, cause);
    }
  }

  const columnsOf = (object: FoundObject, names: readonly string[]) =>
    readWith(object, (bytes) => readObjectColumns(bytes, names));

  function unreadable({ bucket, key }: FoundObject, why: string, cause?: unknown): UploaderError {
    return new UploaderError({
      code: "SINK_REJECTED",
      message: `${sink.describe(bucket)}/${key} is not as it was delivered: ${why}.`,
      hint: "Find out what changed it; if you move it out of the bucket, a rebuild takes its rows for not delivered and they are sent again.",
      cause,
    });
  }

  return {
    async survey(table) {
      const marker = await sink.readMarker(buckets.raw, ownerKey(node, table));
      const objects = await listObjects(table);
      return { marker, owner: marker && parseMarker(marker), objects };
    },
    async rowsOf(object) {
      const id = `${object.bucket}/${object.key}`;
      const known = rows.get(id);
      if (known) return known;
      const rowids = (await columnsOf(object, ["_rowid"])).get("_rowid")?.toArray() as
        | BigInt64Array
        | undefined;
      if (rowids?.length !== object.name.rows)
        throw unreadable(object, `it has ${rowids?.length ?? "no"} rowids, not ${object.name.rows}`);
      const ranges = rangesOfRowids(rowids);
      rows.set(id, ranges);
      return ranges;
    },
    columnsOf,
    footerOf: (object) => readWith(object, readObjectFooter),
  };
}
