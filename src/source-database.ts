import { loadColumnarExtension } from "./sqlite/columnar-extension.ts";
import { registerFunctions } from "./sqlite/functions.ts";
import { type Connection, openDatabase } from "./sqlite/open.ts";

/**
 * Of SQLite's page cache, which better-sqlite3 makes 16 MB: rows are read once, one behind the other, and the system
 * caches the file.
 */
const CACHE_KIB = 2_048;

/**
 * The sensor's database, for reading: with the functions that queries use, and 64-bit integers kept whole.
 *
 * @param onSlow is told why the C extension is not used, where it is not
 */
export function openSourceDatabase(path: string, onSlow?: (reason: string) => void): Connection {
  const db = openDatabase(path, { mode: "read" });
  db.pragma(`cache_size = -${CACHE_KIB}`);
  // What a read sorts stays in memory, which its limits bound: by itself SQLite would write files from that size on.
  db.pragma("temp_store = MEMORY");
  db.defaultSafeIntegers(true);
  registerFunctions(db);
  loadColumnarExtension(db, onSlow);
  return db;
}
