import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { UploaderError } from "../core/errors.ts";
import { failpoint } from "../core/failpoints.ts";
import { makeFolder } from "../sqlite/make-folder.ts";
import { type Connection, openDatabase } from "../sqlite/open.ts";
import { describeFileError, isErrno } from "./directory-errors.ts";
import { assertInside, temporaryFolder, temporaryPrefix } from "./directory-paths.ts";
import type { Marker, MarkerWrite } from "./sink.ts";

export interface MarkerFiles {
  read(bucket: string, key: string): Marker | null;
  /** @returns the version written, or null where the condition did not hold */
  write(marker: MarkerWrite): string | null;
  close(): void;
}

/**
 * Markers as files, whose version is the digest of their text. Comparing and replacing happen inside one
 * transaction of `.markers.db`, an empty SQLite database: a lock that dies with its process. Reading needs
 * none, because files are replaced by rename.
 */
export function createMarkerFiles(directory: string): MarkerFiles {
  let lock: Connection | null = null;

  /** `action` must not wait for anything: the transaction belongs to the one connection of this process. */
  function locked<Result>(action: () => Result): Result {
    makeLake(directory);
    lock ??= openDatabase(join(directory, ".markers.db"), { mode: "create" });
    return lock.transaction(action).immediate();
  }

  return {
    read(bucket, key) {
      const path = assertInside(directory, bucket, key);
      try {
        return readMarker(path);
      } catch (error) {
        throw describeFileError(error, `${path} could not be read`);
      }
    },
    write({ bucket, key, text, replaces }) {
      const path = assertInside(directory, bucket, key);
      const temporary = join(temporaryFolder(directory, bucket), `${temporaryPrefix(key)}marker`);
      try {
        return locked(() => {
          if ((readMarker(path)?.version ?? null) !== replaces) return null;
          replaceFile({ path, temporary, text });
          for (let folder = dirname(path); folder !== dirname(directory); folder = dirname(folder))
            syncFolder(folder);
          return versionOf(text);
        });
      } catch (error) {
        throw describeFileError(lockError(error, directory), `${path} was not written`);
      }
    },
    close() {
      lock?.close();
      lock = null;
    },
  };
}

/** The first marker makes the lake, so this is where its name, and those above it, are made to survive a crash. */
function makeLake(directory: string): void {
  const made = makeFolder(directory);
  if (made === undefined) return;
  for (let folder = dirname(directory); folder.length >= dirname(made).length; folder = dirname(folder)) {
    syncFolder(folder);
    if (folder === dirname(folder)) return;
  }
}

function readMarker(path: string): Marker | null {
  try {
    const text = readFileSync(path, "utf8");
    return { text, version: versionOf(text) };
  } catch (error) {
    if (isErrno(error, "ENOENT")) return null;
    throw error;
  }
}

/** The lock makes this the only writer, so a temporary file that is there is of a crash. */
function replaceFile({ path, temporary, text }: { path: string; temporary: string; text: string }): void {
  makeFolder(dirname(path));
  makeFolder(dirname(temporary));
  const file = openSync(temporary, "w");
  try {
    writeFileSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  failpoint("before-rename-of-marker");
  renameSync(temporary, path);
}

function syncFolder(folder: string): void {
  const file = openSync(folder, "r");
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function versionOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** SQLite's errors, and those of `openDatabase`, speak of a source; here it is the lock that cannot be had. */
function lockError(error: unknown, directory: string): unknown {
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code !== "string" || !/^(SQLITE|SOURCE)_/.test(code)) return error;
  const unwritable = /READONLY|CANTOPEN|PERM|UNREADABLE/.test(code);
  return new UploaderError({
    code: unwritable ? "SINK_DENIED" : "SINK_UNAVAILABLE",
    message: `The lock ${join(directory, ".markers.db")} cannot be had: ${(error as Error).message}`,
    hint: unwritable
      ? "Let the uploader's user write there, or set `directory` to a folder where it may."
      : "See which process holds it (`lsof`); it is tried again.",
    cause: error,
  });
}
