import { duckdb, type LakeObject, pathList } from "./lake-reader.ts";
import { readWithPyarrow } from "./pyarrow.ts";

/** I8 */
export async function readableObjects(objects: readonly LakeObject[]): Promise<string[]> {
  if (objects.length === 0) return [];
  const violations: string[] = [];
  const counted = await duckdb(
    `SELECT file_name, num_rows FROM parquet_file_metadata(${pathList(objects)})`,
  ).catch((error: Error) => {
    violations.push(`I8: DuckDB: ${error.message}`);
    return [];
  });
  const byPath = new Map(counted.map(({ file_name, num_rows }) => [file_name as string, Number(num_rows)]));
  const read = await readWithPyarrow(objects.map(({ path }) => path));
  for (const [index, { path, key, name }] of objects.entries()) {
    if (byPath.get(path) !== name.rows)
      violations.push(`I8: DuckDB finds ${byPath.get(path)} rows in ${key}`);
    if (read && read[index] !== name.rows) violations.push(`I8: pyarrow finds ${read[index]} in ${key}`);
  }
  return violations;
}
