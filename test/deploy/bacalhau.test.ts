import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { appendReadings, openReadings } from "../support/readings.ts";
import { suiteWith } from "../support/suite-with.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { runProgram } from "../support/uploader-process.ts";

const FOLDER = join(import.meta.dirname, "../../deploy/bacalhau");
const CACHE = process.env.UPLOADER_TEST_CACHE || join(homedir(), ".cache", "databricks-uploader");
const PYTHON = join(CACHE, "venv-bacalhau", "bin", "python");
const MODELS = join(import.meta.dirname, "bacalhau/against_models.py");

interface Job {
  readonly Type: string;
  readonly Tasks: readonly [Task];
}

interface Task {
  readonly Engine: { readonly Params: { readonly Parameters: readonly string[] } };
  readonly Env: Readonly<Record<string, string>>;
  readonly InputSources: readonly {
    readonly Target: string;
    readonly Source: { readonly Params: { readonly SourcePath: string; readonly ReadWrite: boolean } };
  }[];
}

const JOBS = ["batch.yaml", "daemon.yaml"];

suiteWith(whyMissing(), "the jobs of deploy/bacalhau against the models of bacalhau-apiclient", () => {
  test.each(JOBS)("%s has nothing that the models do not have", (name) => {
    expect(modelFaults(readJob(name))).toBe("");
  });

  test("a key that is misspelled, and a value of another type, would be seen", () => {
    const job = readJob("batch.yaml");
    const [task] = job.Tasks;
    const wrong = { ...job, Priority: "high", Tasks: [{ ...task, InputSource: [], Env: { ONCE: true } }] };
    expect(modelFaults(wrong).split("\n").sort()).toEqual([
      "Job.Priority is not int",
      "Job.Tasks[0].Env.ONCE is not str",
      "Job.Tasks[0].InputSource is not of Task",
    ]);
  });
});

test("both jobs run on every node: one once, the other for ever", () => {
  expect(readJob("batch.yaml").Type).toBe("ops");
  expect(readJob("daemon.yaml").Type).toBe("daemon");
  expect(parametersOf("batch.yaml")).toContain("--once");
  expect(parametersOf("daemon.yaml")).not.toContain("--once");
});

test.each(JOBS)("%s mounts what the image expects, and has no secret in it", (name) => {
  const [task] = readJob(name).Tasks;
  const mounts = task.InputSources.map(({ Target, Source }) => [Target, Source.Params.ReadWrite]);
  expect(mounts).toEqual([
    ["/data", true],
    ["/state", true],
    ["/config.yaml", false],
    ["/credentials", false],
  ]);
  expect(readFileSync(join(FOLDER, name), "utf8")).not.toMatch(/secret|access_key/i);
});

test.each(JOBS)("the uploader takes the command line and environment of %s", async (name) => {
  const folder = temporaryFolder();
  appendReadings(openReadings(join(folder, "sensor_data.db")), 10);
  const config = join(folder, "config.yaml");
  writeFileSync(config, "sqlite: sensor_data.db\nnode_id: edge\ns3_configuration: { enabled: false }\n");
  const args = parametersOf(name).map((word) => (word === "/config.yaml" ? config : word));
  expect(args).toContain(config);
  const env = { ...readJob(name).Tasks[0].Env, STATE_DIR: join(folder, "state") };
  const { code, stdout, stderr } = await runProgram("uploader", [...args, "--dry-run"], { env });
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  expect(stdout).toMatch(/readings/);
  expect(existsSync(env.STATE_DIR)).toBe(false);
});

function readJob(name: string): Job {
  return parse(readFileSync(join(FOLDER, name), "utf8")) as Job;
}

function parametersOf(name: string): readonly string[] {
  return readJob(name).Tasks[0].Engine.Params.Parameters;
}

function modelFaults(job: unknown): string {
  const { status, stdout, stderr } = spawnSync(PYTHON, [MODELS], {
    input: JSON.stringify(job),
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return stdout.trim();
}

/** As scripts/setup-test-tools.sh left it. */
function whyMissing(): string | null {
  if (existsSync(PYTHON)) return null;
  const reason = join(CACHE, "bacalhau.missing");
  return existsSync(reason) ? readFileSync(reason, "utf8").trim() : `${PYTHON} is not installed`;
}
