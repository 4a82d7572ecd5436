import { createHash, randomUUID } from "node:crypto";
import { rmdirSync } from "node:fs";
import { link, open, readdir, readFile, stat, unlink } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { discard } from "../core/discard.ts";
import { UploaderError } from "../core/errors.ts";
import { failpoint } from "../core/failpoints.ts";
import { makeFolder } from "../sqlite/make-folder.ts";
import { describeFileError, isErrno } from "./directory-errors.ts";
import { createMarkerFiles } from "./directory-markers.ts";
import {
  assertInside,
  TEMPORARY_FOLDER,
  temporaryFolder,
  temporaryPrefix,
  temporaryPrefixOf,
} from "./directory-paths.ts";
import type { ListedObject, ObjectsOfSource, ObjectToPut, Sink } from "./sink.ts";
import { verifiedChunks } from "./verified-file.ts";

export interface DirectorySinkOptions {
  /** Made when the first object is put. */
  readonly directory: string;
}

/**
 * A sink in a folder: `{directory}/{bucket}/{key}`. Objects are files and nothing else, so the metadata of an
 * object is not kept; what is under a key is told by its contents.
 *
 * A file is written under a temporary name, synced, and then linked to its own, which fails where that exists.
 */
export function createDirectorySink(options: DirectorySinkOptions): Sink {
  const directory = resolve(options.directory);
  const buckets = new Set<string>();
  const durableFolders = new Set<string>();
  const markers = createMarkerFiles(directory);

  async function put(
    object: ObjectToPut,
    signal?: AbortSignal,
    beforeVisible?: () => Promise<void>,
  ): Promise<"stored" | "found"> {
    const target = assertInside(directory, object.bucket, object.key);
    try {
      signal?.throwIfAborted();
      buckets.add(object.bucket);
      await makeDurable(dirname(target), directory, durableFolders);
      const result = (await exists(target))
        ? await sameOrConflict(target, object)
        : await copyAndLink(object, target, temporaryFolder(directory, object.bucket), {
            signal,
            beforeVisible,
          });
      await syncFolder(dirname(target));
      await removeFiles(temporaryFolder(directory, object.bucket), temporaryPrefix(object.key));
      return result;
    } catch (error) {
      signal?.throwIfAborted();
      throw describeFileError(error, `${target} was not stored`);
    }
  }

  async function* list(bucket: string, prefix: string): AsyncGenerator<ListedObject> {
    const root = assertInside(directory, bucket, null);
    const folder = assertInside(directory, bucket, prefix.slice(0, prefix.lastIndexOf("/")) || null);
    try {
      for (const path of await filesBelow(folder)) {
        const key = path.slice(root.length + 1);
        if (key.startsWith(prefix) && !key.startsWith(`${TEMPORARY_FOLDER}/`))
          yield { key, bytes: (await stat(path)).size };
      }
    } catch (error) {
      throw describeFileError(error, `${folder} could not be listed`);
    }
  }

  async function read(bucket: string, key: string): Promise<Uint8Array> {
    const path = assertInside(directory, bucket, key);
    try {
      return await readFile(path);
    } catch (error) {
      throw describeFileError(error, `${path} could not be read`);
    }
  }

  async function discardUnfinished(bucket: string, of: ObjectsOfSource): Promise<void> {
    const folder = temporaryFolder(directory, bucket);
    try {
      await removeFiles(folder, temporaryPrefixOf(of));
      buckets.add(bucket);
    } catch (error) {
      throw describeFileError(error, `Temporary files in ${folder} could not be removed`);
    }
  }

  return {
    put,
    readMarker: async (bucket, key) => markers.read(bucket, key),
    async writeMarker(bucket, key, text, replaces) {
      buckets.add(bucket);
      return markers.write({ bucket, key, text, replaces });
    },
    list,
    discardUnfinished,
    read,
    describe: (bucket) => join(directory, bucket),
    close() {
      markers.close();
      for (const bucket of buckets) removeIfEmpty(temporaryFolder(directory, bucket));
    },
  };
}

/**
 * The temporary files of one key have a common beginning. Once the key exists all of them are garbage, of a
 * crash or of another try that came too late, so that no clock or process id is needed to tell.
 */
async function copyAndLink(
  object: ObjectToPut,
  target: string,
  folder: string,
  {
    signal,
    beforeVisible,
  }: { signal: AbortSignal | undefined; beforeVisible: (() => Promise<void>) | undefined },
): Promise<"stored" | "found"> {
  makeFolder(folder);
  const temporary = join(folder, `${temporaryPrefix(object.key)}${randomUUID()}`);
  try {
    await copy(object, temporary, signal);
    await beforeVisible?.();
    failpoint("before-link");
    await link(temporary, target);
    failpoint("after-link");
    return "stored";
  } catch (error) {
    // Without its temporary file, another process has put the key and cleared up behind it.
    if (isErrno(error, "EEXIST") || (isErrno(error, "ENOENT") && (await exists(target))))
      return await sameOrConflict(target, object);
    throw error;
  } finally {
    await unlinkIfThere(temporary);
  }
}

async function copy(object: ObjectToPut, path: string, signal: AbortSignal | undefined): Promise<void> {
  const file = await open(path, "wx");
  try {
    for await (const chunk of verifiedChunks(object, signal)) {
      await file.writeFile(chunk);
      discard([chunk.buffer as ArrayBuffer]);
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function sameOrConflict(target: string, object: ObjectToPut): Promise<"found"> {
  const hash = createHash("sha256");
  const file = await open(target, "r");
  try {
    for await (const chunk of file.createReadStream({ autoClose: false })) hash.update(chunk as Buffer);
  } finally {
    await file.close();
  }
  const sha256 = hash.digest("hex");
  if (sha256 === object.sha256) return "found";
  throw new UploaderError({
    code: "SINK_CONFLICT",
    message: `${target} holds another object, with SHA-256 ${sha256}, not ${object.sha256}.`,
    hint: "Find out what wrote it (another uploader with this node id, or a copied or restored state folder) before you remove either; nothing was overwritten.",
  });
}

/**
 * Makes a folder and sees to it that its entry, and those of its parents up to the directory's own, survive a
 * crash. A folder that is there already may have been made just before one, so each is synced once.
 */
async function makeDurable(folder: string, directory: string, durable: Set<string>): Promise<void> {
  const made = makeFolder(folder);
  if (made === undefined && durable.has(folder)) return;
  const top = made !== undefined && made.length <= directory.length ? dirname(made) : directory;
  for (let path = dirname(folder); path.length >= top.length; path = dirname(path)) {
    await syncFolder(path);
    if (path === dirname(path)) break;
  }
  durable.add(folder);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Absolute paths in the order of S3, which is that of the whole key and not of folder by folder. */
async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch((error) => {
    if (isErrno(error, "ENOENT")) return [];
    throw error;
  });
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}

async function removeFiles(folder: string, prefix: string): Promise<void> {
  const names = await readdir(folder).catch(() => []);
  for (const name of names) if (name.startsWith(prefix)) await unlinkIfThere(join(folder, name));
}

async function unlinkIfThere(path: string): Promise<void> {
  await unlink(path).catch((error) => {
    if (!isErrno(error, "ENOENT")) throw error;
  });
}

async function exists(path: string): Promise<boolean> {
  const found = await stat(path).catch((error) => {
    if (isErrno(error, "ENOENT")) return null;
    throw error;
  });
  return found !== null;
}

function removeIfEmpty(folder: string): void {
  try {
    rmdirSync(folder);
  } catch {
    // It holds what a crash left, or was never made.
  }
}
