import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { bash } from "../support/bash.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const ROOT = join(import.meta.dirname, "../..");

describe("build.sh", () => {
  test("builds both images for this machine's platform by plain docker build", () => {
    const { status, stdout } = bash("scripts/build.sh --dry-run --tag dev --registry local");
    expect(status).toBe(0);
    const commands = stdout.trimEnd().split("\n");
    expect(commands).toHaveLength(2);
    expect(commands[0]).toMatch(/^docker build --file Dockerfile --tag databricks-uploader:dev .* \.$/);
    expect(commands[1]).toMatch(
      /^docker build --file sample-sensor\/Dockerfile --tag databricks-sensor:dev .* \.$/,
    );
    expect(stdout).not.toContain("--platform");
    expect(stdout).toMatch(
      /--build-arg VERSION=\d+\.\d+\.\d+ --build-arg REVISION=\S+ --build-arg CREATED=\S+ \.$/m,
    );
  });

  test.each([
    ["the flag", "--platforms linux/amd64,linux/arm64", {}],
    ["PLATFORMS", "", { PLATFORMS: "linux/amd64,linux/arm64" }],
  ])(
    "builds several platforms, from %s, by buildx and pushes them with it",
    (_, flag, env: Record<string, string>) => {
      const options = `--dry-run --tag v1.0.0 --push --registry ghcr.io/your-org ${flag}`;
      const { status, stdout } = bash(`scripts/build.sh ${options}`, env);
      expect(status).toBe(0);
      expect(stdout.trimEnd().split("\n")).toEqual([
        expect.stringMatching(
          /^docker buildx build --file Dockerfile --tag ghcr\.io\/your-org\/databricks-uploader:v1\.0\.0 .* --platform linux\/amd64,linux\/arm64 --push \.$/,
        ),
        expect.stringMatching(
          /^docker buildx build --file sample-sensor\/Dockerfile --tag ghcr\.io\/your-org\/databricks-sensor:v1\.0\.0 .* --platform linux\/amd64,linux\/arm64 --push \.$/,
        ),
      ]);
    },
  );

  test("says that images of several platforms are nowhere unless they are pushed", () => {
    const { status, stderr } = bash("scripts/build.sh --dry-run --platforms linux/amd64,linux/arm64");
    expect(status).toBe(0);
    expect(stderr).toContain("--push sends them to a registry");
  });

  test("pushes one platform after it is built, and takes another base image", () => {
    const { stdout } = bash("scripts/build.sh --dry-run --push --registry r.example/x/", {
      BASE_IMAGE: "node:24-slim",
    });
    expect(stdout).toContain("\ndocker push r.example/x/databricks-uploader:latest\n");
    expect(stdout).toContain("--build-arg BASE_IMAGE=node:24-slim");
  });

  test.each(["--push", "--tag", "--tag a/b", "--colour red"])("refuses %s", (options) => {
    const { status, stderr, stdout } = bash(`scripts/build.sh --dry-run ${options}`);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^build\.sh: .+\nSee scripts\/build\.sh --help\.\n$/);
    expect(stdout).toBe("");
  });
});

test.each([
  "scripts/build.sh",
  "scripts/test-containers.sh",
  "./start-uploader.sh",
  "./start-sensor.sh",
  "./start-sensor-local.sh",
])("%s --help says how it is used", (script) => {
  const { status, stdout, stderr } = bash(`${script} --help`);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(stdout).toContain(`Usage: ${script}`);
});

describe("a clone that `npm prune --omit=dev` has been run in", () => {
  /** The scripts beside an npm that says what it was asked for; the folder, with what is in node_modules/.bin. */
  function clone(programs: readonly string[]): string {
    const folder = temporaryFolder();
    for (const path of ["node_modules/.bin", "scripts/aws", "bin"])
      mkdirSync(join(folder, path), { recursive: true });
    for (const script of ["scripts/install.sh", "scripts/patch-node-headers.sh", "scripts/aws/run.sh"])
      cpSync(join(ROOT, script), join(folder, script));
    for (const file of ["package-lock.json", "node_modules/.package-lock.json"])
      writeFileSync(join(folder, file), "{}");
    writeFileSync(join(folder, "bin/npm"), '#!/bin/sh\necho "npm $1"\n', { mode: 0o755 });
    for (const name of programs)
      writeFileSync(join(folder, "node_modules/.bin", name), "#!/bin/sh\n", { mode: 0o755 });
    return folder;
  }
  const asked = (script: string, folder: string) => {
    const { stdout, stderr } = bash(`PATH="$PWD/bin:$PATH" ${script}`, {}, folder);
    return (stdout + stderr).match(/^npm \w+$/gm) ?? [];
  };

  test.each(["scripts/install.sh", "scripts/aws/run.sh no-such-program"])("%s installs again", (script) => {
    expect(asked(script, clone([]))).toEqual(["npm ci", "npm run"]);
    expect(asked(script, clone(["tsx"]))).not.toContain("npm ci");
  });

  test("packages are compiled against headers without what aborts better-sqlite3, and Node.js's own stay", () => {
    const folder = clone([]);
    const header = "include/node/node_object_wrap.h";
    const hooks =
      "    AddEnvironmentCleanupHook(v8::Isolate::GetCurrent(), CleanupHook, this);\n" +
      "    RemoveEnvironmentCleanupHook(v8::Isolate::GetCurrent(), CleanupHook, this);\n";
    mkdirSync(join(folder, "include/node"), { recursive: true });
    writeFileSync(join(folder, header), `class ObjectWrap {\n${hooks}  virtual ~ObjectWrap();\n`);
    const npm = `#!/bin/sh\nif [ "$1" = ci ]; then cp "$npm_config_nodedir/${header}" seen.h; fi\n`;
    writeFileSync(join(folder, "bin/npm"), npm);
    const env = { npm_config_nodedir: folder };
    expect(bash('PATH="$PWD/bin:$PATH" scripts/install.sh', env, folder)).toMatchObject({ status: 0 });
    expect(readFileSync(join(folder, "seen.h"), "utf8")).toBe(
      "class ObjectWrap {\n  virtual ~ObjectWrap();\n",
    );
    expect(readFileSync(join(folder, header), "utf8")).toContain(hooks);
  });
});

describe("set-environment.sh", () => {
  const NAMES = "$S3_PREFIX $S3_REGION $S3_BUCKET_RAW $S3_BUCKET_EMERGENCY $CONFIG_PATH $SENSOR_DB_PATH";

  /** The script in a folder of its own, with what is in `.env`. */
  function clone(dotEnv?: string): string {
    const folder = join(temporaryFolder(), "a clone");
    mkdirSync(folder);
    cpSync(join(ROOT, "set-environment.sh"), join(folder, "set-environment.sh"));
    if (dotEnv !== undefined) writeFileSync(join(folder, ".env"), dotEnv);
    return folder;
  }

  test("exports what is in .env, and what follows from it, and prints no secret", () => {
    const folder = clone("S3_PREFIX=acme\nS3_REGION=eu-west-1\nAWS_SECRET_ACCESS_KEY='s3 cret'\n");
    const { stdout } = bash(
      `. ./set-environment.sh; echo; env | grep ^AWS_ | wc -l; echo "${NAMES}"`,
      {},
      folder,
    );
    expect(stdout).toContain("S3_BUCKET_AGGREGATED=acme-databricks-aggregated-eu-west-1\n");
    expect(stdout.split("\n").slice(-3, -1)).toEqual([
      expect.stringMatching(/^ *1$/),
      `acme eu-west-1 acme-databricks-raw-eu-west-1 acme-databricks-emergency-eu-west-1 ${folder}/databricks-uploader-config.yaml ${folder}/sample-sensor/data/sensor_data.db`,
    ]);
    expect(stdout).not.toContain("cret");
  });

  test("what is set already comes before .env", () => {
    const folder = clone("S3_PREFIX=acme\nS3_REGION=eu-west-1\n");
    const env = { S3_PREFIX: "it's mine" };
    const { stdout } = bash('. ./set-environment.sh >&2; echo "$S3_PREFIX $S3_REGION"', env, folder);
    expect(stdout).toBe("it's mine eu-west-1\n");
  });

  test("leaves what is set already, and says what is missing", () => {
    const folder = clone();
    const env = { S3_PREFIX: "acme", S3_BUCKET_RAW: "mine", SENSOR_DB_PATH: "/x.db" };
    const { stdout } = bash(`. ./set-environment.sh >&2; echo "$S3_BUCKET_RAW $SENSOR_DB_PATH"`, env, folder);
    expect(stdout).toBe("mine /x.db\n");
    const { stderr } = bash(". ./set-environment.sh", {}, folder);
    expect(stderr).toContain("S3_PREFIX is not set");
  });
});
