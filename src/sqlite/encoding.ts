import type { Connection } from "./open.ts";

/**
 * In which the database keeps its text: `UTF-8`, `UTF-16le` or `UTF-16be`. Not with `db.pragma`, which refuses to work
 * while the rows of a statement are being taken.
 */
export function readEncoding(db: Connection): string {
  return db.prepare("PRAGMA encoding").pluck().get() as string;
}
