import Database from "better-sqlite3";

/**
 * Whether another connection, in whichever container on this machine, writes at this moment: asked by beginning a
 * write, which changes nothing, and taking it back.
 *
 * Only to be asked while somebody else has the file open: the last connection that closes a database empties its log.
 */
export function hasWriter(path: string): boolean {
  let db: Database.Database | undefined;
  try {
    db = new Database(path, { fileMustExist: true, timeout: 0 });
    db.exec("BEGIN IMMEDIATE; ROLLBACK");
    return false;
  } catch (error) {
    // Anything else, such as damage, says nothing of locks.
    return error instanceof Database.SqliteError && error.code.startsWith("SQLITE_BUSY");
  } finally {
    db?.close();
  }
}
