import { safeName } from "./names.ts";
import { isPipelineType, type Route, type RowRange } from "./types.ts";

/** What a key says of its object. `node` and `table` are safe names. */
export interface ObjectName {
  readonly route: Route;
  readonly node: string;
  readonly table: string;
  readonly generation: number;
  readonly sequence: number;
  /** 1 … parts */
  readonly part: number;
  readonly parts: number;
  /** The extraction's range, the same for all its parts. */
  readonly range: RowRange;
  readonly rows: number;
  /** Date of extraction in UTC, `YYYY-MM-DD`. */
  readonly ingestDate: string;
}

const ROWID_DIGITS = 19;

/**
 * The key of an object, from the data it holds alone:
 * `{type}/{table}/ingest_date=YYYY-MM-DD/{node}-{generation}-{sequence}-{part}of{parts}-{first}-{last}-{rows}.parquet`,
 * behind `rejected/` for rejected rows. docs/OBJECTS.md is the contract.
 */
export function formatObjectKey(name: ObjectName): string {
  const folder = `${name.route.rejected ? "rejected/" : ""}${name.route.type}/${safeName(name.table)}`;
  const file = [
    safeName(name.node),
    String(name.generation).padStart(4, "0"),
    String(name.sequence).padStart(10, "0"),
    `${name.part}of${name.parts}`,
    formatRowid(name.range.first),
    formatRowid(name.range.last),
    name.rows,
  ].join("-");
  return `${folder}/ingest_date=${name.ingestDate}/${file}.parquet`;
}

const KEY_PATTERN =
  /^(?<rejected>rejected\/)?(?<type>[a-z]+)\/(?<table>[^/]+)\/ingest_date=(?<ingestDate>\d{4}-\d{2}-\d{2})\/(?<node>[^/]+)-(?<generation>\d{4,})-(?<sequence>\d{10,})-(?<part>\d+)of(?<parts>\d+)-(?<first>n?\d{19})-(?<last>n?\d{19})-(?<rows>\d+)\.parquet$/;

/**
 * Takes a key apart from the right end, so that node ids keep their hyphens; null if it is not one of ours: if no
 * object could have it, or another key were made of what it says.
 */
export function parseObjectKey(key: string): ObjectName | null {
  const groups = KEY_PATTERN.exec(key)?.groups as Record<string, string> | undefined;
  if (!groups || !isPipelineType(groups.type)) return null;
  const name: ObjectName = {
    route: { type: groups.type, rejected: groups.rejected !== undefined },
    node: groups.node as string,
    table: groups.table as string,
    generation: Number(groups.generation),
    sequence: Number(groups.sequence),
    part: Number(groups.part),
    parts: Number(groups.parts),
    range: { first: parseRowid(groups.first as string), last: parseRowid(groups.last as string) },
    rows: Number(groups.rows),
    ingestDate: groups.ingestDate as string,
  };
  return isPossible(name) && formatObjectKey(name) === key ? name : null;
}

/** Far beyond what any source comes to, and far below where numbers lose their last digit. */
const MOST_GENERATIONS = 2 ** 31 - 1;

function isPossible({ generation, sequence, part, parts, range, rows, ingestDate }: ObjectName): boolean {
  const isRowid = (rowid: bigint) => BigInt.asIntN(64, rowid) === rowid;
  const date = new Date(`${ingestDate}T00:00:00Z`);
  return (
    isBetween(1, generation, MOST_GENERATIONS) &&
    isBetween(1, sequence, Number.MAX_SAFE_INTEGER) &&
    isBetween(1, part, parts) &&
    isBetween(1, parts, Number.MAX_SAFE_INTEGER) &&
    isBetween(0, rows, Number.MAX_SAFE_INTEGER) &&
    isRowid(range.first) &&
    isRowid(range.last) &&
    range.first <= range.last &&
    // V8 takes 30 February for 2 March.
    !Number.isNaN(date.getTime()) &&
    date.toISOString().startsWith(ingestDate)
  );
}

function isBetween(least: number, value: number, most: number): boolean {
  return least <= value && value <= most;
}

/** The folder below which a source's objects of one route lie, for listing. */
export function objectKeyPrefix(route: Route, table: string): string {
  return `${route.rejected ? "rejected/" : ""}${route.type}/${safeName(table)}/`;
}

/** The key of a source's ownership marker, in the raw bucket. */
export function ownerKey(node: string, table: string): string {
  return `_owner/${safeName(node)}/${safeName(table)}.json`;
}

/** 19 digits; `n` stands for the minus of a negative rowid, because `-` separates the parts. */
function formatRowid(rowid: bigint): string {
  return rowid < 0n
    ? `n${String(-rowid).padStart(ROWID_DIGITS, "0")}`
    : String(rowid).padStart(ROWID_DIGITS, "0");
}

function parseRowid(text: string): bigint {
  return text.startsWith("n") ? -BigInt(text.slice(1)) : BigInt(text);
}
