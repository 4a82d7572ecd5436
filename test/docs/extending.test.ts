import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { listObjects, readRows } from "../support/lake-reader.ts";
import { appendReadings, openForTest, openReadings } from "../support/readings.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const ROOT = join(import.meta.dirname, "../..");
const EXAMPLES = join(ROOT, "docs/examples");
/** What a build needs, and what its programs need of the repository. */
const COPIED = [
  "src",
  "sample-sensor/src",
  "scripts/build.js",
  "package.json",
  "biome.json",
  "tsconfig.json",
];

test("new-pipeline-type.patch: `slim` is set like any other type, and ships every row with fewer columns", async () => {
  const { run, folder, database } = site();
  // A state from before the change.
  run(ROOT, "uploader", ["--once"]);
  const copy = patchedCopy("new-pipeline-type.patch");
  run(copy, "pipeline-manager", ["set", "slim", "--reason", "thin line"]);
  appendReadings(openForTest(database), 40);
  expect(() => run(copy, "uploader", ["--once"])).toThrow("slim to undefined");
  run(copy, "uploader", ["--once", "--accept-new-destination"]);

  const objects = listSlim(join(folder, "lake"));
  expect(objects.map(({ path }) => path)).toEqual([
    expect.stringContaining("local-databricks-slim-local/slim/readings/"),
  ]);
  const rows = await readRows(objects);
  expect(rows.map(({ _rowid }) => _rowid)).toEqual(
    Array.from({ length: 40 }, (_, index) => BigInt(index + 11)),
  );
  expect(Object.keys(rows[0] ?? {}).filter((name) => !name.startsWith("_"))).toEqual([
    "id",
    "timestamp",
    "temperature",
    "anomaly_flag",
    "synced",
  ]);
});

test("custom-transformation.patch: coordinates are coarser in schematized, and as stored in raw", async () => {
  const { run, folder, database } = site();
  const db = openForTest(database);
  db.exec("ALTER TABLE readings ADD COLUMN latitude REAL; UPDATE readings SET latitude = 52.518623");
  const copy = patchedCopy("custom-transformation.patch");
  run(copy, "uploader", ["--once"]);
  run(copy, "pipeline-manager", ["set", "schematized"]);
  appendReadings(db, 1);
  db.exec("UPDATE readings SET latitude = 52.518623");
  run(copy, "uploader", ["--once"]);

  const objects = listObjects(join(folder, "lake"));
  const latitudes = async (type: string) => {
    const rows = await readRows(objects.filter(({ name }) => name.route.type === type));
    return [...new Set(rows.map(({ latitude }) => latitude))];
  };
  expect(await latitudes("raw")).toEqual([52.518623]);
  expect(await latitudes("schematized")).toEqual([52.52]);
});

test("docs/EXTENDING.md shows both patches as they are", () => {
  const document = readFileSync(join(ROOT, "docs/EXTENDING.md"), "utf8");
  const patches = readdirSync(EXAMPLES);
  expect(patches).toHaveLength(2);
  for (const name of patches) {
    expect(document).toContain(`examples/${name}`);
    const added = readFileSync(join(EXAMPLES, name), "utf8").matchAll(/^\+(?!\+\+)(.*)$/gm);
    for (const [, line = ""] of added) if (line.trim() !== "") expect(document).toContain(line);
  }
});

/** A copy of the sources with the patch applied, type-checked, linted and built. */
function patchedCopy(patch: string): string {
  const copy = temporaryFolder();
  for (const path of COPIED) cpSync(join(ROOT, path), join(copy, path), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"));
  const inCopy = (command: string, args: readonly string[]) =>
    execFileSync(command, args, { cwd: copy, stdio: "pipe" });
  inCopy("git", ["apply", join(EXAMPLES, patch)]);
  inCopy("node_modules/.bin/tsc", ["--noEmit"]);
  inCopy("node_modules/.bin/biome", ["check", "--error-on-warnings", "src"]);
  inCopy("node", ["scripts/build.js"]);
  return copy;
}

/** Ten readings, and the programs of a tree on them. */
function site() {
  const folder = temporaryFolder();
  const database = join(folder, "sensor.db");
  appendReadings(openReadings(database), 10);
  const env = {
    ...{ PATH: process.env.PATH, SQLITE_PATH: database, SQLITE_TABLE_NAME: "readings", NODE_ID: "edge" },
    ...{ STATE_DIR: join(folder, "state"), OUTPUT_DIRECTORY: join(folder, "lake"), S3_ENABLED: "false" },
  };
  const run = (tree: string, program: string, args: readonly string[]) =>
    execFileSync("node", [join(tree, `dist/src/cli/${program}.js`), ...args], {
      env,
      cwd: folder,
      stdio: "pipe",
    });
  return { folder, database, run };
}

/** The reader of other tests knows four types. */
function listSlim(lake: string): { readonly path: string }[] {
  const bucket = join(lake, "local-databricks-slim-local");
  if (!existsSync(bucket)) return [];
  return readdirSync(bucket, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".parquet"))
    .map((name) => ({ path: join(bucket, name) }));
}
