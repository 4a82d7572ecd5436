import type { QueryColumn, SourceColumn, SourceSchema } from "../core/types.ts";
import type { NameColumn } from "./column-names.ts";

export const ROWID_COLUMN: QueryColumn = { name: "_rowid", type: "int64", source: null };

/** A name as SQLite compares it: the case of ASCII letters does not count, that of others does. */
export function foldName(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

/** Whether SQLite takes both for the same name. */
export function isSameName(one: string, other: string | null): boolean {
  return other !== null && foldName(one) === foldName(other);
}

/** The column that SQL would find under this name. */
export function findColumn(schema: SourceSchema, name: string): SourceColumn | undefined {
  const wanted = foldName(name);
  return schema.columns.find((column) => foldName(column.name) === wanted);
}

/** The source's columns as raw ships them. */
export function rawColumns(schema: SourceSchema, nameColumn: NameColumn): QueryColumn[] {
  return schema.columns.map(({ name, type }) => ({ name: nameColumn(name), type, source: name }));
}
