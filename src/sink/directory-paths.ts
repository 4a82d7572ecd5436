import { createHash } from "node:crypto";
import { join } from "node:path";
import { UploaderError } from "../core/errors.ts";
import { objectKeyPrefix, parseObjectKey } from "../core/object-key.ts";
import type { ObjectsOfSource } from "./sink.ts";

/** In each bucket, for files that are not complete yet; Spark and most globs pass over it. */
export const TEMPORARY_FOLDER = ".uploading";

/**
 * The path of a key, or of a bucket where the key is null. Keys are made of safe names; this is the second
 * defence against one that would leave the directory.
 *
 * @throws {UploaderError} SINK_REJECTED
 */
export function assertInside(directory: string, bucket: string, key: string | null): string {
  const parts = key === null ? [] : key.split("/");
  const unsafe = (part: string) => part === "" || part === "." || part === ".." || /[\0\\]/.test(part);
  if (
    unsafe(bucket) ||
    bucket.includes("/") ||
    bucket.startsWith(".") ||
    parts.some(unsafe) ||
    parts[0] === TEMPORARY_FOLDER
  )
    throw new UploaderError({
      code: "SINK_REJECTED",
      message: `${JSON.stringify(key === null ? bucket : `${bucket}/${key}`)} cannot be a file below ${directory}.`,
      hint: "Correct `s3_configuration.prefix` or `.buckets`.",
    });
  return join(directory, bucket, ...parts);
}

export function temporaryFolder(directory: string, bucket: string): string {
  return join(assertInside(directory, bucket, null), TEMPORARY_FOLDER);
}

/** How the names of a key's temporary files begin. */
export function temporaryPrefix(key: string): string {
  const name = parseObjectKey(key);
  return `${name ? temporaryPrefixOf(name) : ""}${digestOf(key)}-`;
}

/** How the names of the temporary files of a source's objects begin. */
export function temporaryPrefixOf({ route, node, table }: ObjectsOfSource): string {
  return `${digestOf(`${objectKeyPrefix(route, table)}${node}`)}-`;
}

function digestOf(text: string): string {
  return createHash("sha256").update(text).digest("hex").slice(0, 32);
}
