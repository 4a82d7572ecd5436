import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { expect, onTestFinished, test } from "vitest";
import { checkNode } from "../../../scripts/pipeline/check-place.ts";
import { WINDOW_SECONDS } from "../../../scripts/pipeline/check-settings.ts";
import { compareSensor } from "../../../scripts/pipeline/compare-sensor.ts";
import { safeName } from "../../../src/core/names.ts";
import { listObjects } from "../../support/lake-reader.ts";
import { suiteFor } from "../../support/s3-servers.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const ROOT = join(import.meta.dirname, "../../..");

test("a whole installation passes, in a folder of its own whatever the environment names", async () => {
  const folder = temporaryFolder();
  const strange = {
    SQLITE_PATH: join(folder, "other.db"),
    STATE_DIR: join(folder, "state"),
    OUTPUT_DIRECTORY: join(folder, "lake"),
    NODE_ID: "line-7",
    S3_ENABLED: "true",
    ONCE: "true",
  };
  const { code, printed } = await check(["--keep"], { env: strange, cwd: folder });
  const kept = keptOf(printed);
  expect(printed).toMatch(/^(raw|schematized|aggregated|emergency): arrived after [\d.]+ s$/m);
  expect(printed).toMatch(/compared: ([\d,]+) rows in SQLite, \1 found by content/);
  expect(printed.trimEnd().split("\n").at(-1)).toBe("PASS");
  expect(code).toBe(0);
  for (const path of Object.values(strange).filter((value) => value.startsWith("/")))
    expect(existsSync(path)).toBe(false);

  const [first] = listObjects(join(kept, "lake"));
  if (!first) throw new Error("nothing was kept");
  const compare = () =>
    compareSensor(join(kept, "sensor_data.db"), join(kept, "lake"), {
      node: first.name.node,
      windowSeconds: WINDOW_SECONDS,
    });
  expect((await compare()).violations).toEqual([]);
  rmSync(first.path);
  expect((await compare()).violations.length).toBeGreaterThan(0);
});

test.each(["Line-7.example.com", "a".repeat(64), "größe 7"])(
  "the node id of a check on %s is the one that stands in its keys",
  (machine) => {
    const node = checkNode(machine, new Date("2026-01-02T03:04:05.678Z"));
    expect(node).toMatch(/^check-/);
    expect(safeName(node)).toBe(node);
    expect(checkNode(machine, new Date("2026-01-02T03:04:06Z"))).not.toBe(node);
  },
);

suiteFor("versitygw", "test-sensor-pipeline.sh --s3", (server) => {
  test("ships to the configured buckets under a node id of its own", async () => {
    const buckets = ["raw", "schematized", "aggregated", "emergency"].map((type) => bucketOf("check", type));
    await server().createBuckets(buckets);
    const { code, printed } = await check(["--s3", "--config", configFor("check")], {
      env: server().environment,
    });
    expect(printed).toContain(`Objects go to ${buckets.join(", ")}, and stay there`);
    expect(printed.trimEnd().split("\n").at(-1)).toBe("PASS");
    expect(code).toBe(0);
    const nodes = new Set(listObjects(server().folder, buckets).map(({ name }) => name.node));
    expect([...nodes]).toEqual([expect.stringMatching(/^check-.+-\d{14}$/)]);
  });

  test("fails, and says why, where the buckets are not there", async () => {
    const { code, printed } = await check(["--s3", "--config", configFor("none")], {
      env: server().environment,
    });
    keptOf(printed);
    expect(printed).toMatch(/^FAIL: .*NoSuchBucket/m);
    expect(code).toBe(1);
  });

  function configFor(prefix: string): string {
    const path = join(temporaryFolder(), "config.yaml");
    writeFileSync(
      path,
      `sqlite: /nowhere.db\ns3_configuration: { prefix: ${prefix}, region: ${server().region} }\n`,
    );
    return path;
  }

  function bucketOf(prefix: string, type: string): string {
    return `${prefix}-databricks-${type}-${server().region}`;
  }
});

test("--s3 without buckets is a wrong configuration, and so is an unknown flag", async () => {
  const { code, printed } = await check(["--s3"], { cwd: temporaryFolder() });
  keptOf(printed);
  expect({ code, printed }).toEqual({
    code: 2,
    printed: expect.stringMatching(/FAIL: (.|\n)*s3_configuration\.prefix/),
  });
  expect(await check(["--s4"])).toMatchObject({ code: 2 });
});

interface Place {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
}

/** As test-sensor-pipeline.sh does after it has built. */
async function check(args: readonly string[], { env = {}, cwd = ROOT }: Place = {}) {
  const { PATH = "", HOME = "" } = process.env;
  const tsx = join(ROOT, "node_modules/.bin/tsx");
  const child = spawn(tsx, [join(ROOT, "scripts/pipeline/check-pipeline.ts"), ...args], {
    cwd,
    env: { PATH, HOME, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGTERM"));
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  const [code] = await once(child, "close");
  return { code: code as number | null, printed };
}

/** The folder that is kept, which goes with the test. */
function keptOf(printed: string): string {
  const [, folder = ""] = /The folder is kept: ([^,]+),/.exec(printed) ?? [];
  if (folder) onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
