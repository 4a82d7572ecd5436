import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { SETTING_ENTRIES } from "../../src/config/setting-table.ts";
import { CWD, settingsOf } from "./configuration.ts";

const text = readFileSync(new URL("../../databricks-uploader-config.yaml", import.meta.url), "utf8");
/** `#key: value` is a setting; `# words` is an explanation. */
const switchedOn = text.replace(/^( *)#(?=[a-z0-9_]+:)/gm, "$1");

test("the file at the root works as it is: the sample sensor into a folder", () => {
  expect(settingsOf({ yaml: text })).toEqual({
    ...settingsOf({ argv: { sqlite: "x", directory: "lake" } }),
    sqlitePath: `${CWD}/sample-sensor/data/sensor_data.db`,
    tables: ["sensor_readings"],
    timestampColumn: "timestamp",
  });
});

test("S3_ENABLED, a prefix and a region are enough to ship to S3 with it", () => {
  const env = { S3_ENABLED: "true", S3_PREFIX: "expanso", AWS_REGION: "us-west-2" };
  expect(settingsOf({ yaml: text, env }).sink).toMatchObject({
    kind: "s3",
    buckets: { raw: "expanso-databricks-raw-us-west-2" },
  });
});

test("each setting is in it, with an explanation above", () => {
  const values = parse(switchedOn);
  for (const [, { yaml }] of SETTING_ENTRIES) {
    if (yaml === null) continue;
    const value = yaml.split(".").reduce((section, key) => section?.[key], values);
    expect(value, yaml).toBeDefined();
    if (yaml.includes("buckets.")) continue;
    const key = yaml.split(".").at(-1) as string;
    expect(text, yaml).toMatch(new RegExp(`^ *# .*\\n *#?${key}:`, "m"));
  }
});

test("every line that is commented out is right when it is switched on", () => {
  expect(settingsOf({ yaml: switchedOn })).toMatchObject({ nodeId: "line-7" });
  const s3 = settingsOf({ yaml: switchedOn, env: { S3_ENABLED: "true" } });
  expect(s3.sink).toMatchObject({ kind: "s3", sse: "aws:kms", storageClass: "INTELLIGENT_TIERING" });
  expect(s3.queries.schematized.schemas["*"]?.properties.temperature).toEqual({
    type: "number",
    minimum: -50,
    maximum: 150,
  });
});
