import { quoteName } from "../../src/sqlite/names.ts";
import type { Connection } from "../../src/sqlite/open.ts";

/**
 * A value exactly as SQLite stores it, storage class included, in a form that compares and prints well:
 * `null`, `integer 5`, `real 3ff0000000000000` (the bits), `text 6869` and `blob 00ff` (the bytes, text in the
 * encoding of the database).
 */
export type StoredValue = string;

/** The rows of a table by their rowids, in their order: what is stored in each of the columns. */
export function readStored(
  db: Connection,
  table: string,
  rowidName: string,
  columns: readonly string[],
): Map<bigint, StoredValue[]> {
  const selected = columns
    .map(quoteName)
    .flatMap((name) => [`typeof(${name})`, name, `CAST(${name} AS BLOB)`]);
  const rowid = quoteName(rowidName);
  const rows = db
    .prepare(`SELECT ${[rowid, ...selected].join(", ")} FROM ${quoteName(table)} ORDER BY ${rowid}`)
    .safeIntegers()
    .raw()
    .all() as unknown[][];
  return new Map(
    rows.map(([id, ...cells]) => {
      const values = columns.map((_, index) => {
        const [type, value, bytes] = cells.slice(index * 3, index * 3 + 3);
        if (type === "null") return "null";
        if (type === "integer") return `integer ${value}`;
        if (type === "real") return real(value as number);
        return `${type} ${(bytes as Buffer).toString("hex")}`;
      });
      return [id as bigint, values];
    }),
  );
}

/** What a cell of a raw object says was stored: a column's value, or what `_rescued` has for it. */
export interface LakeCell {
  /** As DuckDB gives it. */
  readonly value: unknown;
  /** From `decodeRescued`; undefined where `_rescued` does not name the column. */
  readonly rescued: StoredValue | undefined;
  /** `typeof` of SQLite for the text `'1'` in such a column, which tells what SQLite makes of whole numbers. */
  readonly affinity: "integer" | "real" | "text";
  readonly encoding: BufferEncoding | "utf16be";
}

export function storedInLake({ value, rescued, affinity, encoding }: LakeCell): StoredValue {
  if (rescued !== undefined) {
    if (value !== null) throw new Error(`a value in the column and another one in _rescued: ${rescued}`);
    return rescued;
  }
  if (value === null) return "null";
  if (typeof value === "bigint") return `integer ${value}`;
  if (typeof value === "boolean") return `integer ${Number(value)}`;
  if (typeof value === "string") return text(value, encoding);
  if (Buffer.isBuffer(value)) return `blob ${value.toString("hex")}`;
  if (typeof value !== "number") throw new Error(`no value of SQLite: ${value}`);
  // A column of NUMERIC affinity stores whole numbers as integers, one of REAL affinity as reals; integers that
  // a double does not hold are in _rescued.
  return affinity === "integer" && Number.isInteger(value) && Math.abs(value) <= 2 ** 53
    ? `integer ${BigInt(value)}`
    : real(value);
}

const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|[{}:,]/gy;

/** Reads `_rescued` as src/encode/rescue.ts describes it; JSON.parse would round the integers. */
export function decodeRescued(json: string | null, encoding: LakeCell["encoding"]): Map<string, StoredValue> {
  const values = new Map<string, StoredValue>();
  if (json === null) return values;
  JSON.parse(json);
  const tokens = json.match(TOKEN) ?? [];
  if (tokens.join("") !== json) throw new Error(`not the JSON of _rescued: ${json}`);
  let at = 0;
  const take = (expected?: string): string => {
    const token = tokens[at++] ?? "";
    if (expected !== undefined && token !== expected) throw new Error(`not the JSON of _rescued: ${json}`);
    return token;
  };
  take("{");
  do {
    const column = JSON.parse(take()) as string;
    take(":");
    if (values.has(column)) throw new Error(`_rescued names ${column} twice`);
    values.set(column, value(take()));
  } while (take() === ",");
  return values;

  function value(token: string): StoredValue {
    if (token.startsWith('"')) return text(JSON.parse(token), encoding);
    if (token !== "{") return /[.eE]/.test(token) ? real(Number(token)) : `integer ${BigInt(token)}`;
    const kind = JSON.parse(take());
    take(":");
    const content = JSON.parse(take()) as string;
    if (kind === "omitted") {
      for (const expected of [",", '"bytes"', ":"]) take(expected);
      const bytes = take();
      take("}");
      return `omitted ${content} of ${bytes} bytes`;
    }
    take("}");
    return kind === "real" ? real(Number(content)) : `${kind} ${content}`;
  }
}

function real(value: number): StoredValue {
  const bits = Buffer.alloc(8);
  bits.writeDoubleBE(value);
  return `real ${bits.toString("hex")}`;
}

function text(value: string, encoding: LakeCell["encoding"]): StoredValue {
  if (encoding !== "utf16be") return `text ${Buffer.from(value, encoding).toString("hex")}`;
  return `text ${Buffer.from(value, "utf16le").swap16().toString("hex")}`;
}

/** A timestamp; null where it is none. */
export function instantOf(stored: StoredValue): string | null {
  const text = textOf(stored);
  const time = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(time) ? null : new Date(time).toISOString();
}

export function textOf(stored: StoredValue): string | null {
  return stored.startsWith("text ") ? Buffer.from(stored.slice(5), "hex").toString("utf8") : null;
}

export function numberOf(stored: StoredValue): number | null {
  if (stored.startsWith("integer ")) return Number(stored.slice(8));
  if (stored.startsWith("real ")) return Buffer.from(stored.slice(5), "hex").readDoubleBE();
  return null;
}

/** `typeof` of the text '1' once it is stored in a column of the type, asked of the given connection. */
export function affinityOf(
  db: { exec(sql: string): unknown; prepare(sql: string): { pluck(): { get(): unknown } } },
  declaredType: string,
): LakeCell["affinity"] {
  db.exec(`CREATE TEMP TABLE ${quoteName("affinity of")} (x ${declaredType})`);
  db.exec(`INSERT INTO temp.${quoteName("affinity of")} VALUES ('1')`);
  const affinity = db
    .prepare(`SELECT typeof(x) FROM temp.${quoteName("affinity of")}`)
    .pluck()
    .get();
  db.exec(`DROP TABLE temp.${quoteName("affinity of")}`);
  return affinity as LakeCell["affinity"];
}
