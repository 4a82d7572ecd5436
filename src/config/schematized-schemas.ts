import { dirname, resolve } from "node:path";
import type { TableSchema } from "../core/types.ts";
import type { Layers, Resolved } from "./layers.ts";
import { describeValue, formatKey, type Problem, type Report } from "./problems.ts";
import { parseTableSchema } from "./table-schema.ts";
import { isMapping, repeatedName } from "./value-shapes.ts";
import { loadYamlFile, type ReadFile, type YamlFile } from "./yaml-file.ts";

/** The table name under which the schema stands that holds for every table without one of its own. */
const EVERY_TABLE = "*";

const SCHEMA_PATH = ["schematized", "schema"];

/**
 * The schemas by table. The setting is one schema, which holds for every table, or a mapping under the one
 * key `tables`; each of them stands there itself or is the path of a file, relative to the file that names
 * it. Only the configuration file can set it.
 */
export function loadSchemas(
  setting: Resolved<string | Readonly<Record<string, unknown>> | null>,
  { file }: Layers,
  read: ReadFile,
  problems: Problem[],
): Record<string, TableSchema> {
  // Without a prototype, so that a look-up of a table "constructor" finds nothing.
  const schemas: Record<string, TableSchema> = Object.create(null);
  if (!file || setting.value === null) return schemas;
  const part = open({ value: setting.value, file, at: SCHEMA_PATH, key: SCHEMA_PATH }, read, problems);
  if (!part) return schemas;
  const report = reportTo(part, problems);
  if (!isMapping(part.value) || !("tables" in part.value)) {
    const schema = parseTableSchema(part.value, report);
    if (schema) schemas[EVERY_TABLE] = schema;
    return schemas;
  }
  const { tables, ...others } = part.value;
  for (const key of Object.keys(others))
    report([key], "cannot stand beside tables; move it into the schema of a table");
  if (!isMapping(tables)) {
    report(["tables"], `must be a mapping of tables to schemas, not ${describeValue(tables)}`);
    return schemas;
  }
  const repeated = repeatedName(Object.keys(tables));
  if (repeated !== null)
    report(["tables", repeated], "is there twice; case makes no difference in names of tables");
  for (const [table, value] of Object.entries(tables)) {
    const inner = ["tables", table];
    const entry = open(
      { value, file: part.file, at: [...part.at, ...inner], key: [...part.key, ...inner] },
      read,
      problems,
    );
    const schema = entry && parseTableSchema(entry.value, reportTo(entry, problems));
    if (schema) schemas[table] = schema;
  }
  return schemas;
}

/** A value in a file, with its path there and the key that messages call it. */
interface Part {
  readonly value: unknown;
  readonly file: YamlFile;
  readonly at: readonly string[];
  readonly key: readonly string[];
}

/** The part itself, or the content of the file that it names; null where that cannot be read. */
function open(part: Part, read: ReadFile, problems: Problem[]): Part | null {
  if (typeof part.value !== "string") return part;
  const path = resolve(dirname(part.file.path), part.value);
  const subject = { key: formatKey(part.key), prefix: part.key };
  const file = loadYamlFile(path, read, subject, problems);
  return file && { value: file.root, file, at: [], key: part.key };
}

function reportTo({ file, at, key }: Part, problems: Problem[]): Report {
  return (path, message) => {
    const origin = `${file.path}:${file.lineOf([...at, ...path])}`;
    problems.push({ key: formatKey([...key, ...path]), message, origin });
  };
}
