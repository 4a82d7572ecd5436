import { UploaderError } from "./core/errors.ts";
import type { Logger } from "./observe/logger.ts";
import type { ObjectsOfSource, Sink } from "./sink/sink.ts";

/** Where tries to put objects may have been cut short; nobody tries meanwhile. */
export interface UnfinishedPlace {
  readonly bucket: string;
  readonly of: ObjectsOfSource;
}

/**
 * Removes what unfinished tries left of objects that are not put again, which costs nothing but space: where it cannot
 * be done, at a sink out of reach for instance, whoever set the objects aside or rebuilt the state need not wait for it.
 */
export async function discardUnfinished(
  sink: Sink,
  places: readonly UnfinishedPlace[],
  log: Logger,
): Promise<void> {
  const distinct = new Map(places.map((place) => [JSON.stringify(place), place]));
  try {
    for (const { bucket, of } of distinct.values()) await sink.discardUnfinished(bucket, of);
  } catch (err) {
    if (!(err instanceof UploaderError)) throw err;
    log.warn(
      { err },
      "what uploads that were cut short have left may still take space at the destination; a lifecycle rule that aborts incomplete multipart uploads removes it from a bucket",
    );
  }
}
