import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { UploaderError } from "../core/errors.ts";
import type { ObjectToPut } from "./sink.ts";

type ExpectedFile = Pick<ObjectToPut, "path" | "bytes" | "sha256">;

/** Small against the parts of an upload, large against the cost of a read. */
const CHUNK_BYTES = 1024 * 1024;

/** The whole file, which must be what the state says of it. @throws {UploaderError} OUTBOX_DAMAGED */
export async function readVerified(file: ExpectedFile, signal?: AbortSignal): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of verifiedChunks(file, signal)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * The file in chunks, each in a buffer of its own, checked while it is read: the last chunk comes only when the whole
 * file has the size and SHA-256 that the state recorded, so that a damaged file is never put whole.
 *
 * @throws {UploaderError} OUTBOX_DAMAGED where it is missing, unreadable, shorter, longer or different
 */
export async function* verifiedChunks(file: ExpectedFile, signal?: AbortSignal): AsyncGenerator<Buffer> {
  const handle = await open(file.path, "r").catch((error) => unreadable(file, error));
  try {
    const hash = createHash("sha256");
    let position = 0;
    let held: Buffer | null = null;
    for (;;) {
      signal?.throwIfAborted();
      const chunk = await readChunk(handle, position).catch((error) => unreadable(file, error));
      if (chunk.length === 0) break;
      position += chunk.length;
      if (position > file.bytes) throw damaged(file, "it is longer");
      hash.update(chunk);
      if (held) yield held;
      held = chunk;
    }
    if (position < file.bytes) throw damaged(file, `it has ${position} bytes`);
    const sha256 = hash.digest("hex");
    if (sha256 !== file.sha256) throw damaged(file, `its SHA-256 is ${sha256}`);
    if (held) yield held;
  } finally {
    await handle.close();
  }
}

async function readChunk(handle: FileHandle, position: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, position);
  return buffer.subarray(0, bytesRead);
}

function unreadable(file: ExpectedFile, error: NodeJS.ErrnoException): never {
  // Too many open files, or no memory: a fault of the moment and not of the file.
  if (["EMFILE", "ENFILE", "ENOMEM"].includes(error.code ?? "")) throw error;
  throw damaged(file, "it cannot be read", error);
}

function damaged(file: ExpectedFile, found: string, cause?: unknown): UploaderError {
  const reason = cause instanceof Error ? ` (${cause.message})` : "";
  return new UploaderError({
    code: "OUTBOX_DAMAGED",
    message: `${file.path} is not the file that was extracted, of ${file.bytes} bytes and SHA-256 ${file.sha256}: ${found}${reason}.`,
    hint: "Restore the file, or run `uploader state rebuild` to extract its rows again.",
    cause,
  });
}
