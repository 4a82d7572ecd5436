import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, test } from "vitest";
import { SETTINGS } from "../../src/config/setting-table.ts";
import { bash } from "../support/bash.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const ROOT = join(import.meta.dirname, "../..");

test("start-uploader.sh without a configuration, or with one that is not there, ends with 2", () => {
  expect(bash("./start-uploader.sh")).toMatchObject({ status: 2, stderr: expect.stringContaining("Usage:") });
  expect(bash("./start-uploader.sh nowhere.yaml")).toMatchObject({
    status: 2,
    stderr: "start-uploader: there is no file nowhere.yaml\n",
  });
});

describe("start-uploader.sh with an engine", () => {
  /** What of a container's own is not passed on: its paths, its name, and how it was started. */
  const OWN = ["SQLITE_PATH", "SENSOR_DB_PATH", "STATE_DIR", "NODE_ID", "ONCE"];

  /** What `docker run` is called with; `shell` is the command line, with CONFIG for the configuration's path. */
  function started(env: Readonly<Record<string, string>>, shell = "./start-uploader.sh CONFIG"): string {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "config.yaml"), "");
    const docker = '#!/bin/sh\nif [ "$1" = run ]; then echo "$@" >>"$CALLS"; fi\n';
    writeFileSync(join(folder, "docker"), docker, { mode: 0o755 });
    const PATH = `${folder}:${process.env.PATH}`;
    const calls = join(folder, "calls");
    const command = shell.replace("CONFIG", `${folder}/config.yaml`);
    const { status } = bash(command, { ...env, PATH, CALLS: calls });
    expect(status).toBe(0);
    return readFileSync(calls, "utf8");
  }

  test("passes on every variable of the uploader by its name alone, unless it is the container's own", () => {
    const names = Object.values(SETTINGS)
      .flatMap(({ env = [] }) => env)
      .filter((name) => !OWN.includes(name));
    expect(names).toContain("S3_BUCKET_RAW");
    const call = started(Object.fromEntries(names.map((name) => [name, "a value"])));
    for (const name of names) expect(call).toContain(`--env ${name} `);
    expect(call).not.toContain("a value");
  });

  const hasScript = spawnSync("script", ["--version"]).status === 0;
  test.runIf(hasScript)("a command that asks is given the terminal, where there is one", () => {
    expect(started({}, "./start-uploader.sh CONFIG state rebuild </dev/null")).not.toContain("--tty");
    const onTerminal = started({}, 'script -qec "./start-uploader.sh CONFIG state rebuild" /dev/null');
    expect(onTerminal).toMatch(/^run --rm --interactive --tty .* state rebuild$/m);
  });

  test("has time to finish the object in hand", () => {
    expect(started({})).toContain("--stop-timeout 60 ");
  });
});

describe("start-sensor.sh with an engine", () => {
  /** A docker that writes down how it is called, and says of containers what it is told to; a uname of another system. */
  function engine({ running = "", system = "Linux" } = {}) {
    const folder = temporaryFolder();
    const program = (name: string, body: string) =>
      writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    program("docker", `echo "$@" >>"$CALLS"; [ "$1" = container ] && echo "${running}"; exit 0`);
    program("uname", `echo ${system}`);
    const calls = join(folder, "calls");
    writeFileSync(calls, "");
    const PATH = `${folder}:${process.env.PATH}`;
    const run = (command: string, env: Readonly<Record<string, string>> = {}) => {
      const { status, stderr } = bash(command, { ...env, PATH, CALLS: calls });
      return { status, stderr, calls: readFileSync(calls, "utf8") };
    };
    return { folder, run };
  }

  test("starts the sensor on its volume, with the options that it is given", () => {
    const { status, calls } = engine().run("./start-sensor.sh --rate 7", { SENSOR_IMAGE: "sensor:test" });
    expect(status).toBe(0);
    expect(calls).toMatch(
      /^run --detach --name databricks-sensor .*--volume sensor-data:\/data sensor:test --rate 7$/m,
    );
    expect(calls).toMatch(/--read-only .*--cap-drop ALL/);
  });

  test("a second one is not started", () => {
    const { status, stderr, calls } = engine({ running: "true" }).run("./start-sensor.sh");
    expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringContaining("runs already") });
    expect(calls).not.toMatch(/^(run|rm) /m);
  });

  test.each(["./start-sensor.sh", "./start-uploader.sh CONFIG"])(
    "%s does not take a folder of a Mac for a volume",
    (script) => {
      const { folder, run } = engine({ system: "Darwin" });
      writeFileSync(join(folder, "config.yaml"), "");
      const command = script.replace("CONFIG", join(folder, "config.yaml"));
      const refused = run(command, { SENSOR_DATA: "/Users/me/data" });
      expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining("Name a volume") });
      expect(refused.calls).toBe("");
      expect(run(command, { SENSOR_DATA: "mine" })).toMatchObject({
        status: 0,
        calls: expect.stringContaining("--volume mine:/data"),
      });
    },
  );
});

test("start-sensor-local.sh writes to sample-sensor/data, or to SENSOR_DB_PATH", () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "scripts"));
  cpSync(join(ROOT, "start-sensor-local.sh"), join(folder, "start-sensor-local.sh"));
  writeFileSync(join(folder, "scripts/install.sh"), "#!/bin/sh\n", { mode: 0o755 });
  symlinkSync(join(ROOT, "dist"), join(folder, "dist"));
  for (const [path, env] of [
    [join(folder, "sample-sensor/data/sensor_data.db"), {}],
    [join(folder, "mine.db"), { SENSOR_DB_PATH: join(folder, "mine.db") }],
  ] as const) {
    expect(bash("./start-sensor-local.sh --backfill 7", env, folder)).toMatchObject({
      status: 0,
      stderr: "",
    });
    const db = new Database(path, { readonly: true });
    expect(db.prepare("SELECT count(*) FROM sensor_readings").pluck().get()).toBe(7);
    db.close();
  }
});
