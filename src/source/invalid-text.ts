import type { SourceSchema } from "../core/types.ts";
import { readEncoding } from "../sqlite/encoding.ts";
import { quoteName } from "../sqlite/names.ts";
import type { Connection } from "../sqlite/open.ts";

/** What V8 puts where bytes are not valid UTF-8; a text without it is valid. */
const REPLACEMENT = "\ufffd";

/**
 * SQLite reads two bytes behind a lone surrogate as the other half of a pair, whatever they are
 * (READ_UTF16LE in https://sqlite.org/src/file/src/utf.c), so a pair may be none; at the end of the text a
 * surrogate becomes what V8 replaces.
 */
const PAIR_OR_REPLACEMENT = /[\ud800-\udbff\ufffd]/;

/**
 * A quick look at texts as they come from the connection: false for those that are certainly what is stored.
 * For the others `readInvalidText` tells.
 */
export function createInvalidTextTest(db: Connection): (text: string) => boolean {
  return readEncoding(db) === "UTF-8"
    ? (text) => text.includes(REPLACEMENT)
    : (text) => PAIR_OR_REPLACEMENT.test(text);
}

/**
 * The bytes of a text as SQLite stores it, if they are not valid in the database's encoding; null if they
 * are. For UTF-8 that is what RFC 3629 allows, for UTF-16 text without a lone surrogate.
 */
export function readInvalidText(
  db: Connection,
  schema: SourceSchema,
  rowid: bigint,
  column: string,
): Buffer | null {
  const sql = `SELECT CAST(${quoteName(column)} AS BLOB) FROM main.${quoteName(schema.table)} WHERE ${quoteName(schema.rowidName)} = ?`;
  const bytes = db.prepare(sql).pluck().get(rowid) as Buffer;
  return decodes(bytes, readEncoding(db)) ? null : bytes;
}

function decodes(bytes: Buffer, encoding: string): boolean {
  if (encoding === "UTF-16be") bytes = Buffer.from(bytes).swap16();
  try {
    new TextDecoder(encoding === "UTF-8" ? "utf-8" : "utf-16le", { fatal: true }).decode(bytes);
    return true;
  } catch {
    return false;
  }
}
