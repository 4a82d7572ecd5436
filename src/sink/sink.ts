import type { ObjectName } from "../core/object-key.ts";

/** An object on local disk, with what S3 is told about it. */
export interface ObjectToPut {
  readonly bucket: string;
  readonly key: string;
  /** Absolute path of the complete file. */
  readonly path: string;
  readonly bytes: number;
  /** Lower-case hex of the whole file. */
  readonly sha256: string;
  /** Further user metadata, in lower-case names; the sink adds `sha256`. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** What lies under a marker's key, with the version that a replacement must name. */
export interface Marker {
  readonly text: string;
  readonly version: string;
}

/** The arguments of `Sink.writeMarker` as one value. */
export interface MarkerWrite {
  readonly bucket: string;
  readonly key: string;
  readonly text: string;
  /** The version that it may replace; null: there must be none. */
  readonly replaces: string | null;
}

/** The objects of a source and route, by what their keys say. */
export type ObjectsOfSource = Pick<ObjectName, "route" | "node" | "table">;

export interface ListedObject {
  readonly key: string;
  readonly bytes: number;
}

/**
 * Where objects go. The contract, which test/sink/contract.ts holds every implementation to:
 * nothing is ever overwritten, and what a call has confirmed survives a crash of either side.
 *
 * Every method throws an `UploaderError` whose code starts with `SINK_`; `retryKind` in retry.ts says for
 * which of them another try can help. No method tries again for long by itself.
 */
export interface Sink {
  /**
   * Puts the file under its key unless something is there. The same bytes under that key, from an earlier
   * try whose answer was lost, count as delivered.
   *
   * @param beforeVisible called when all bytes are there and before the object appears, where the two are apart: not
   *   in S3 for objects that go in one request. Where it throws, nothing is stored
   * @returns whether this call stored it, or found it there
   * @throws {UploaderError} SINK_CONFLICT where other bytes are under the key; OUTBOX_DAMAGED where the file
   *   is not what `bytes` and `sha256` say, and then nothing is stored
   * @throws the signal's reason once it is aborted; the object may be there all the same
   */
  put(
    object: ObjectToPut,
    signal?: AbortSignal,
    beforeVisible?: () => Promise<void>,
  ): Promise<"stored" | "found">;

  /** The marker under the key, or null where there is none. */
  readMarker(bucket: string, key: string): Promise<Marker | null>;

  /**
   * Writes a marker: with `replaces` null only where there is none, otherwise only over that version. When it
   * throws SINK_UNAVAILABLE the marker may have been written: read it. Two processes may write the same text,
   * so a text that is to tell them apart needs something of its own process.
   *
   * @returns its version, or null where the condition did not hold
   */
  writeMarker(bucket: string, key: string, text: string, replaces: string | null): Promise<string | null>;

  /** The objects whose keys begin with the prefix, markers included, in the order of their keys. */
  list(bucket: string, prefix: string): AsyncIterable<ListedObject>;

  /**
   * Removes what tries that were cut short have left of a source's objects, which nobody may be putting meanwhile: open
   * uploads, temporary files. What is stored stays. A try of `put` does the same for its own object.
   */
  discardUnfinished(bucket: string, of: ObjectsOfSource): Promise<void>;

  /** The whole of an object. @throws {UploaderError} SINK_REJECTED where there is none */
  read(bucket: string, key: string): Promise<Uint8Array>;

  /** A bucket's place for people: `s3://bucket`, or a path. */
  describe(bucket: string): string;

  close(): void;
}
