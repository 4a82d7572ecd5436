import { readFileSync, statSync } from "node:fs";
import Database from "better-sqlite3";
import { safeName } from "../../src/core/names.ts";
import type { CheckedTable, CheckOptions } from "./invariants.ts";
import { nameOf, sha256Of } from "./lake-place.ts";
import type { LakeObject } from "./lake-reader.ts";
import { readSourceState, waitingObjects } from "./state-reader.ts";

/** I3, from the counters. */
export function figuresOf(
  delivered: readonly LakeObject[],
  { name: table, twice }: CheckedTable,
  { stateDir, node }: CheckOptions,
): string[] {
  const state = readSourceState(stateDir, node, table);
  if (!state) return [];
  const ours = delivered.filter(({ name }) => name.table === safeName(table) && name.node === safeName(node));
  const found = [ours.length, ours.reduce((sum, { name }) => sum + name.rows, 0)].join();
  const { objects, rows } = twice?.elsewhere ?? { objects: 0, rows: 0 };
  const recorded = [Number(state.delivered_objects) + objects, Number(state.delivered_rows) + rows].join();
  return found === recorded
    ? []
    : [`I3: the state counts ${recorded} objects and rows of ${table} as delivered, there are ${found}`];
}

/** I3, from the log: all that the uploader has said is delivered, also between two looks at its state. */
export function deliveredAsLogged(
  delivered: readonly LakeObject[],
  printed: readonly string[],
  { observer }: Pick<CheckOptions, "observer">,
): string[] {
  const found = new Map(delivered.map((object) => [nameOf(object), object]));
  return printed
    .flatMap((text) => text.split("\n"))
    .filter((line) => /"msg":"(delivered|was delivered already)"/.test(line))
    .flatMap((line) => {
      const said = JSON.parse(line) as { object: string; rows: number; bytes: number };
      const object = found.get(said.object);
      if (!object) return observer.forgotten.has(said.object) ? [] : [`I3: ${said.object} is not there`];
      const there = [object.name.rows, statSync(object.path).size].join();
      const logged = [said.rows, said.bytes].join();
      return there === logged
        ? []
        : [`I3: rows and bytes of ${said.object} were ${logged} when it was delivered, there are ${there}`];
    });
}

/** I3, from what the state was seen to list, from `pipeline_executions`, and from the objects' metadata. */
export async function deliveredAsRecorded(
  delivered: readonly LakeObject[],
  { database, controlDatabase, observer, place, stateDir }: CheckOptions,
): Promise<string[]> {
  const violations: string[] = [];
  const found = new Map(delivered.map((object) => [nameOf(object), object]));
  const waiting = new Set(waitingObjects(stateDir).map(nameOf));
  const db = new Database(controlDatabase ?? database, { readonly: true });
  try {
    const has = db
      .prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'pipeline_executions'")
      .pluck()
      .get();
    type Execution = { name: string; status: string; records: number };
    const executions = (
      has === 1
        ? db
            .prepare("SELECT bucket || '/' || object_key AS name, status, records FROM pipeline_executions")
            .all()
        : []
    ) as Execution[];
    for (const { name, status, records } of executions) {
      const isThere = found.get(name);
      if (status === "delivered" && !isThere) violations.push(`I3: ${name} is delivered, but not there`);
      if (isThere && isThere.name.rows !== records) violations.push(`I3: ${name} has not ${records} rows`);
      if (isThere && status !== "delivered" && !waiting.has(name))
        violations.push(`I3: ${name} is ${status}`);
    }
  } finally {
    db.close();
  }
  for (const [name, object] of found) {
    const sha256 = sha256Of(object);
    const bytes = readFileSync(object.path).byteLength;
    const listed = observer.listed.get(name);
    if (listed && (listed.sha256 !== sha256 || listed.bytes !== bytes || listed.rows !== object.name.rows))
      violations.push(`I3: ${name} is not what the state listed`);
    const metadata = await place.metadata(object);
    if (metadata && (metadata.sha256 !== sha256 || metadata.rows !== String(object.name.rows)))
      violations.push(`I3: the metadata of ${name} are ${JSON.stringify(metadata)}`);
  }
  return violations;
}
