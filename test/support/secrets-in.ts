import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeControlTables } from "./control-tables.ts";
import type { CheckOptions } from "./invariants.ts";
import { filesBelow, nameOf } from "./lake-place.ts";
import type { LakeObject } from "./lake-reader.ts";

/** I10 */
export async function secretsIn(
  { database, controlDatabase, place, secrets, stateDir }: CheckOptions,
  printed: readonly string[],
  objects: readonly LakeObject[],
): Promise<string[]> {
  const delivered = new Set(place.objects().map(nameOf));
  const metadata = objects
    .filter((object) => delivered.has(nameOf(object)))
    .map(async (object): Promise<[string, () => string]> => {
      const text = JSON.stringify(await place.metadata(object));
      return [`the metadata of ${nameOf(object)}`, () => text];
    });
  const places: [string, () => Buffer | string][] = [
    ["what the uploader printed", () => printed.join("\n")],
    ["the control tables", () => describeControlTables(controlDatabase ?? database)],
    // With the outbox, and what was set aside or replaced.
    ...filesBelow(stateDir).map((name): [string, () => Buffer] => [
      name,
      () => readFileSync(join(stateDir, name)),
    ]),
    ...place.markers().map((path): [string, () => Buffer] => [path, () => readFileSync(path)]),
    ...(await Promise.all(metadata)),
    ...objects.map(({ key, path }): [string, () => Buffer] => [key, () => readFileSync(path)]),
  ];
  return places.flatMap(([name, contents]) => {
    const found = contents();
    return secrets.filter((secret) => found.includes(secret)).map(() => `I10: a credential is in ${name}`);
  });
}
