import { createHash } from "node:crypto";
import type { Connection } from "../sqlite/open.ts";

/**
 * The seal of a state: one number that every row of it has a share in, by which a change that was not made by the
 * uploader is noticed at the next start, in whatever row and column it is. It is a sum of digests (XOR), so a row that
 * comes, changes or goes costs the same however many others there are.
 *
 * It is kept by triggers of the connection, TEMP ones, which no other program has: whoever writes here is sealed, in
 * the same transaction, and nobody can forget it. It is against mistakes, not against forgers, who can reckon too.
 */

/** Seals from now on what this connection writes. */
export function keepSeal(db: Connection): void {
  db.function("seal_with", { varargs: true, deterministic: true, safeIntegers: true }, (seal, ...row) =>
    BigInt.asIntN(64, (seal as bigint) ^ digestOf(row)),
  );
  for (const table of sealedTables(db)) {
    const columns = db.prepare("SELECT name FROM pragma_table_info(?)").pluck().all(table) as string[];
    const change = (seal: string, row: "OLD" | "NEW") =>
      `seal_with(${seal}, '${table}', ${columns.map((column) => `${row}.${column}`).join(", ")})`;
    const changes = {
      INSERT: change("value", "NEW"),
      UPDATE: change(change("value", "OLD"), "NEW"),
      DELETE: change("value", "OLD"),
    };
    for (const [event, value] of Object.entries(changes))
      db.exec(
        `CREATE TEMP TRIGGER seal_${table}_${event} AFTER ${event} ON main.${table}
         BEGIN UPDATE seal SET value = ${value}; END`,
      );
  }
}

/** Seals the state as it is. */
export function writeSeal(db: Connection): void {
  db.prepare("UPDATE seal SET value = ?").run(sealOf(db));
}

/** False where something else than the uploader has changed the state. */
export function isSealed(db: Connection): boolean {
  return db.prepare("SELECT value FROM seal").pluck().safeIntegers().get() === sealOf(db);
}

function sealOf(db: Connection): bigint {
  let seal = 0n;
  for (const table of sealedTables(db)) {
    const rows = db.prepare(`SELECT * FROM ${table}`).raw().safeIntegers().iterate();
    for (const row of rows as Iterable<unknown[]>) seal ^= digestOf([table, ...row]);
  }
  return seal;
}

function sealedTables(db: Connection): string[] {
  return db
    .prepare(
      "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'seal' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'",
    )
    .pluck()
    .all() as string[];
}

/** The name of a row's table and its values, as a signed 64-bit integer. */
function digestOf(row: readonly unknown[]): bigint {
  const text = JSON.stringify(row, (_, value) => (typeof value === "bigint" ? String(value) : value));
  return createHash("sha256").update(text).digest().readBigInt64BE();
}
