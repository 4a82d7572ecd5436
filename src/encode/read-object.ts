import { tableFromIPC, type Vector } from "apache-arrow";
import { ParquetFile } from "parquet-wasm";

/**
 * Columns of an object, decoded: of those that are asked for, those that it has.
 *
 * @throws {Error} where the bytes are not Parquet
 */
export async function readObjectColumns(
  bytes: Uint8Array,
  wanted: readonly string[],
): Promise<ReadonlyMap<string, Vector>> {
  const file = await ParquetFile.fromFile(new Blob([bytes as Uint8Array<ArrayBuffer>]));
  try {
    const { schema } = tableFromIPC(file.schema().intoIPCStream());
    const columns = schema.fields.map(({ name }) => name).filter((name) => wanted.includes(name));
    if (columns.length === 0) return new Map();
    const table = tableFromIPC((await file.read({ columns })).intoIPCStream());
    return new Map(columns.map((name) => [name, table.getChild(name) as Vector]));
  } finally {
    file.free();
  }
}

/**
 * The key-value metadata of an object's footer.
 *
 * @throws {Error} where the bytes are not Parquet
 */
export async function readObjectFooter(bytes: Uint8Array): Promise<ReadonlyMap<string, string>> {
  const file = await ParquetFile.fromFile(new Blob([bytes as Uint8Array<ArrayBuffer>]));
  try {
    return file.metadata().fileMetadata().keyValueMetadata();
  } finally {
    file.free();
  }
}
