import { expect, test } from "vitest";
import { loadControlDatabase } from "../../src/config/database-path.ts";
import { CONFIG, CWD, filesOf, type Given, problemsOf } from "./configuration.ts";

function controlDatabase(given: Given) {
  const { argv = {}, env = {} } = given;
  return loadControlDatabase({ configPath: argv.config, env, cwd: CWD, readFile: filesOf(given) });
}

function pathOf(given: Given): string {
  return controlDatabase(given).path;
}

test("only a database that pipeline_db names beside the source is ours to make", () => {
  expect(controlDatabase({ yaml: "sqlite: a.db" }).isOurs).toBe(false);
  expect(controlDatabase({ yaml: "sqlite: a.db\npipeline_db: b.db" }).isOurs).toBe(true);
  expect(controlDatabase({ yaml: "sqlite: a.db\npipeline_db: a.db" }).isOurs).toBe(false);
});

test("the database with the control tables is pipeline_db, else the source, whatever else is wrong or missing", () => {
  const yaml = "sqlite: data/a.db\ninterval: never\nunknown: 1\ns3_configuration: {enabled: maybe}\n";
  expect(pathOf({ yaml })).toBe(`${CWD}/data/a.db`);
  expect(pathOf({ yaml: `${yaml}pipeline_db: b.db` })).toBe(`${CWD}/b.db`);
  expect(pathOf({ yaml, env: { SENSOR_DB_PATH: "/c.db" } })).toBe("/c.db");
  expect(pathOf({ yaml, env: { SENSOR_DB_PATH: "/c.db", PIPELINE_DB: "/d.db" } })).toBe("/d.db");
  expect(pathOf({ files: { "/etc/x.yaml": yaml }, argv: { config: "/etc/x.yaml" } })).toBe("/etc/data/a.db");
});

test("nothing that names it is an error that says how to", () => {
  expect(() => pathOf({})).toThrowError(
    expect.objectContaining({
      code: "USAGE",
      message: "No database is named.",
      hint: "Name it with --db FILE, in SQLITE_PATH, or as sqlite in a file that --config names.",
    }),
  );
});

test("a file that cannot be used, and a path that is none, are errors", () => {
  expect(problemsOf({ argv: { config: "gone.yaml" } }, pathOf)).toEqual([
    `configuration file: there is no such file (${CWD}/gone.yaml)`,
  ]);
  expect(problemsOf({ yaml: "sqlite: 5\npipeline_db: [a]" }, pathOf)).toEqual([
    `pipeline_db: must be the path of a SQLite database, not a list (${CONFIG}:2)`,
    `sqlite: must be the path of the SQLite database that the sensor writes, not 5; put quotes around it (${CONFIG}:1)`,
  ]);
});
