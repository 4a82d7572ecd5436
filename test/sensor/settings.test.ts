import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parseArguments } from "../../sample-sensor/src/flags.ts";
import { loadSettings } from "../../sample-sensor/src/settings.ts";
import { givenFile, givenFolder, givenSettings } from "./given-settings.ts";

function load(flags: string[], environment: Record<string, string> = {}, folder = givenFolder()) {
  return loadSettings({ arguments: parseArguments(["node", "sensor", ...flags]), environment, folder });
}

function problemsOf(flags: string[], yaml?: object | string): string {
  const folder = givenFolder();
  const config = yaml === undefined ? [] : ["--config", givenFile(folder, yaml)];
  try {
    load([...config, ...flags], {}, folder);
  } catch (error) {
    expect(error).toMatchObject({ code: "CONFIG_INVALID", exitCode: 2 });
    return (error as Error).message;
  }
  throw new Error("nothing was refused");
}

describe("settings", () => {
  test("of sensor-config.yaml are the defaults, which need no file", () => {
    const repository = join(import.meta.dirname, "../..");
    const shipped = load([], {}, repository);
    expect(shipped.file).toBe(join(repository, "sample-sensor/sensor-config.yaml"));
    const { database } = shipped.settings;
    expect(database.path).toBe(join(repository, "sample-sensor/data/sensor_data.db"));
    const folder = givenFolder();
    const bare = load([], {}, folder);
    expect(bare.file).toBeNull();
    expect(bare.settings.database.path).toBe(join(folder, "data/sensor_data.db"));
    expect({ ...shipped.settings, database: { ...database, path: "" } }).toEqual({
      ...bare.settings,
      database: { ...bare.settings.database, path: "" },
    });
  });

  test("come from flags, then the environment, then the file, then the defaults", () => {
    const folder = givenFolder();
    const config = givenFile(folder, {
      database: { path: "from-file.db" },
      simulation: { sensors: 3, readings_per_second: 4 },
    });
    const from = (flags: string[], environment = {}) =>
      load(["--config", config, ...flags], environment, folder).settings;
    const variable = { SENSOR_DB_PATH: "from-variable.db" };
    expect(from([]).database.path).toBe(join(folder, "from-file.db"));
    expect(from([], variable).database.path).toBe(join(folder, "from-variable.db"));
    expect(from(["--db", "from-flag.db"], variable).database.path).toBe(join(folder, "from-flag.db"));
    expect(from([]).simulation).toMatchObject({ sensors: 3, readingsPerSecond: 4, runTimeSeconds: null });
    expect(from(["--sensors", "9", "--duration", "5"]).simulation).toMatchObject({
      ...{ sensors: 9, readingsPerSecond: 4, runTimeSeconds: 5 },
    });
    expect(from(["--run-time=6", "--seed", "7", "--anomaly-probability", "0.5"])).toMatchObject({
      simulation: { runTimeSeconds: 6, seed: 7 },
      anomalies: { probability: 0.5 },
    });
  });

  test("take paths in the file relative to the file, those in flags to the working folder", () => {
    const [here, there] = [givenFolder(), givenFolder()];
    const config = givenFile(there, { database: { path: "../x.db" } });
    expect(load(["--config", config], {}, here).settings.database.path).toBe(join(there, "../x.db"));
    expect(load(["--config", config, "--db", "y.db"], {}, here).settings.database.path).toBe(
      join(here, "y.db"),
    );
  });

  test("that are left empty are the defaults", () => {
    const folder = givenFolder();
    const config = givenFile(folder, "anomalies:\nsimulation:\n  sensors:\n  seed:\n");
    const { settings } = load(["--config", config], {}, folder);
    const { database: _, ...expected } = givenSettings();
    expect(settings).toMatchObject(expected);
  });

  test("of a backfill say how much, until when and what follows", () => {
    expect(load([]).backfill).toBeNull();
    expect(load(["--backfill", "1000"]).backfill).toEqual({ rows: 1000, untilMs: null, thenLive: false });
    expect(load(["--backfill", "5", "--until", "2025-06-01T02:00:00+02:00"]).backfill).toEqual({
      ...{ rows: 5, untilMs: Date.parse("2025-06-01"), thenLive: false },
    });
    expect(load(["--backfill", "5", "--continue", "--duration", "3"]).backfill?.thenLive).toBe(true);
  });
});

describe("configuration problems", () => {
  test("are reported all at once, each with its key and origin", () => {
    const message = problemsOf(["--rate", "fast", "--sensor", "3", "stray", "--backfill", "1.5"], {
      simulaton: {},
      simulation: { sensors: -1 },
      anomalies: { types: { spik: {} } },
      quantities: { temperature: { mean: 200 }, humidity: { mean: "wet" } },
      identity: { locations: [{ name: "x", latitude: 91, longitude: 0, timezone: "Mars/Base" }] },
    });
    expect(message).toContain("has 11 problems:");
    expect(message).toContain('\n  --sensor: unknown flag (did you mean "--sensors"?)');
    expect(message).toContain("\n  stray: unexpected argument");
    expect(message).toMatch(/\n {2}--rate \(simulation\.readings_per_second\): .*got "fast"/);
    expect(message).toContain('\n  --backfill: expected a whole number of at least 1, got "1.5"');
    expect(message).toContain('\n  simulaton: unknown key (did you mean "simulation"?)');
    expect(message).toMatch(/\n {2}simulation\.sensors: .*got -1/);
    expect(message).toContain('\n  anomalies.types.spik: unknown key (did you mean "spike"?)');
    expect(message).toContain("\n  quantities.temperature: mean must lie between min and max");
    expect(message).toMatch(/\n {2}quantities\.humidity\.mean: .*got "wet"/);
    expect(message).toMatch(/\n {2}identity\.locations\.0\.latitude: .*got 91/);
    expect(message).toMatch(/\n {2}identity\.locations\.0\.timezone: .*Europe\/Berlin, got "Mars\/Base"/);
  });

  test.each([
    ["{ sensors: [", /not valid YAML: .*line 1/],
    ["a: *nobody", /not valid YAML/],
    ["- a list", /must hold sections/],
    ["simulation: 5", /simulation: expected object, received number, got 5/],
    ["anomalies: { firmware_effect: { v1: 2 } }", /firmware_effect\.v1: expected "major\.minor"/],
    ["anomalies: { types: { spike: { weight: -1 } } }", /types\.spike\.weight: .*got -1/],
    [
      "anomalies: { types: { spike: {weight: 0}, trend: {weight: 0}, pattern: {weight: 0}, missing_data: {weight: 0}, noise: {weight: 0} } }",
      /anomalies\.types: at least one type needs a weight above 0/,
    ],
    ["identity: { firmware_versions: [1.4] }", /firmware_versions\.0: /],
    [
      "identity: { manufactured: { from: 2024-01-01, to: 2023-01-01 } }",
      /manufactured: from must not be later/,
    ],
  ])("in %j are understood", (yaml, expected) => {
    expect(problemsOf([], yaml)).toMatch(expected);
  });

  test.each([
    [["--config", "nowhere.yaml"], /nowhere\.yaml: cannot be read \(ENOENT\)/],
    [["--rate"], /--rate .*got ""/],
    [["--db", ""], /--db \(database\.path\)/],
    [["--until", "2025-06-01"], /--until: needs --backfill/],
    [["--continue"], /--continue: needs --backfill/],
    [["--backfill", "5", "--until", "2025-06-01T00:00:00"], /--until: expected a time such as/],
    [["--backfill", "5", "--until", "2025-06-01", "--continue"], /does not go with --continue/],
    [["--backfill", "5", "--duration", "5"], /--duration: .*needs --continue/],
    [["--backfill", "99999999999", "--rate", "1"], /before the year 1970/],
    [["--colour"], /--colour: unknown flag$/m],
  ])("in %j are understood", (flags, expected) => {
    expect(problemsOf(flags)).toMatch(expected);
  });
});
