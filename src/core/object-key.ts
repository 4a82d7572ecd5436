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

/** Takes a key apart from the right end, so that node ids keep their hyphens; null if it is not one of ours. */
export function parseObjectKey(key: string): ObjectName | null {
  const groups = KEY_PATTERN.exec(key)?.groups as Record<string, string> | undefined;
  if (!groups || !isPipelineType(groups.type)) return null;
  return {
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
