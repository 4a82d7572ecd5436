import { groupBy } from "./group-by.ts";
import type { ComparedTable } from "./lake-contents.ts";
import { duckdb, type LakeObject, pathList, readTable } from "./lake-reader.ts";
import { decodeRescued, instantOf, type LakeCell, type StoredValue, storedInLake } from "./stored-values.ts";

/** A row of an object, as it was stored. */
export interface ShippedRow {
  readonly object: LakeObject;
  readonly rowid: bigint;
  readonly values: readonly StoredValue[];
  /** Of the column that tells doubles apart. */
  readonly told: string;
  /** Node and generation, of their columns. */
  readonly origin: string;
}

export function originOf(node: unknown, generation: unknown): string {
  return `generation ${generation} of node ${node}`;
}

/** Objects with the same columns can be read together. */
export async function bySchema(objects: readonly LakeObject[]): Promise<LakeObject[][]> {
  if (objects.length === 0) return [];
  const schemas = await duckdb(
    `SELECT file_name, string_agg(name || ' ' || coalesce(type, ''), ',') AS columns
     FROM parquet_schema(${pathList(objects)}) GROUP BY file_name`,
  );
  const schemaOf = new Map(schemas.map(({ file_name, columns }) => [file_name as string, columns as string]));
  return [...groupBy(objects, ({ path }) => schemaOf.get(path)).values()];
}

/** The rows of objects with the same columns. */
export async function readGroup(group: readonly LakeObject[], table: ComparedTable): Promise<ShippedRow[]> {
  const { columns, rows } = await readTable(group);
  const byPath = new Map(group.map((object) => [object.path, object]));
  const at = (name: string) => columns.findIndex((column) => column.toLowerCase() === name.toLowerCase());
  const places = table.columns.map(at);
  const [rowidAt, rescuedAt, pathAt] = [at("_rowid"), at("_rescued"), at("filename")];
  const [nodeAt, generationAt, toldAt] = [
    at("_node_id"),
    at("_generation"),
    at(table.twice?.told ?? "_generation"),
  ];
  return rows.map((row) => {
    const object = byPath.get(row[pathAt] as string) as LakeObject;
    const rescued = decodeRescued((row[rescuedAt] ?? null) as string | null, "utf8");
    const values = table.columns.map((column, index) => {
      const place = places[index] as number;
      // A column that the object's schema does not have was not there when it was read.
      if (place < 0) return "null";
      const value = row[place];
      if (value instanceof Date) return `instant ${value.toISOString()}`;
      const affinity = table.affinities[index] as LakeCell["affinity"];
      return storedInLake({ value, rescued: rescued.get(column), affinity, encoding: "utf8" });
    });
    const origin = originOf(row[nodeAt], row[generationAt]);
    return { object, rowid: row[rowidAt] as bigint, values, told: stringOf(row[toldAt]), origin };
  });
}

function stringOf(value: unknown): string {
  return value instanceof Date ? value.toISOString() : String(value);
}

/** Whether a row is what was stored once. */
export function isSame(known: readonly StoredValue[], { values }: ShippedRow, table: ComparedTable): boolean {
  return values.every((value, index) => {
    const stored = known[index] as StoredValue;
    if (!value.startsWith("instant ")) return value === stored;
    return table.columns[index] === table.timestampColumn && value === `instant ${instantOf(stored)}`;
  });
}
