import { createHash } from "node:crypto";

const MAX_LENGTH = 64;
const HASH_LENGTH = 8;

/**
 * A node's or table's name as it stands in keys: ASCII letters, digits, `.`, `_` and `-`, at most 64 of
 * them, beginning with a letter or digit, because Spark hides files and folders that begin with `_` or `.`.
 * What had to be changed ends in a hash of the whole name, so that different names stay apart.
 */
export function safeName(name: string): string {
  let safe = name.replace(/[^A-Za-z0-9._-]/gu, "_");
  if (!/^[A-Za-z0-9]/.test(safe)) safe = `x${safe}`;
  if (safe === name && safe.length <= MAX_LENGTH) return safe;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH_LENGTH);
  return `${safe.slice(0, MAX_LENGTH - HASH_LENGTH - 1)}-${hash}`;
}
