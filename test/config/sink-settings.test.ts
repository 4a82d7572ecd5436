import { describe, expect, test } from "vitest";
import { CONFIG, problemsOf, settingsOf } from "./configuration.ts";

const sqlite = { sqlite: "a.db" };
const sinkOf = (yaml: string, env: Record<string, string> = {}, argv: object = {}) =>
  settingsOf({ yaml, env, argv: { ...sqlite, ...argv } }).sink;
const problems = (yaml: string, env: Record<string, string> = {}, argv: object = {}) =>
  problemsOf({ yaml, env, argv: { ...sqlite, ...argv } }, settingsOf);

describe("S3", () => {
  test("is what is shipped to unless it is switched off; buckets are named by prefix, type and region", () => {
    expect(sinkOf("", { S3_PREFIX: "expanso", S3_REGION: "us-west-2" })).toEqual({
      kind: "s3",
      region: "us-west-2",
      endpoint: null,
      allowInsecureEndpoint: false,
      forcePathStyle: false,
      sse: null,
      kmsKeyId: null,
      storageClass: null,
      conditionalWrites: true,
      buckets: {
        raw: "expanso-databricks-raw-us-west-2",
        schematized: "expanso-databricks-schematized-us-west-2",
        aggregated: "expanso-databricks-aggregated-us-west-2",
        emergency: "expanso-databricks-emergency-us-west-2",
      },
    });
  });

  test("has its settings in the file", () => {
    const yaml = `
s3_configuration:
  region: eu-central-1
  buckets: {raw: b-raw, schematized: b-sch, aggregated: b-agg, emergency: b-eme}
  endpoint: http://127.0.0.1:9000
  force_path_style: false
  sse: aws:kms
  kms_key_id: alias/key
  storage_class: STANDARD_IA
  conditional_writes: false`;
    expect(sinkOf(yaml)).toEqual({
      kind: "s3",
      region: "eu-central-1",
      endpoint: "http://127.0.0.1:9000",
      allowInsecureEndpoint: false,
      forcePathStyle: false,
      sse: "aws:kms",
      kmsKeyId: "alias/key",
      storageClass: "STANDARD_IA",
      conditionalWrites: false,
      buckets: { raw: "b-raw", schematized: "b-sch", aggregated: "b-agg", emergency: "b-eme" },
    });
  });

  test.each([
    "http://127.0.0.1:9000",
    "http://127.8.8.8",
    "http://localhost:9000",
    "http://minio.localhost",
    "http://[::1]:9000",
    "https://minio.example.com",
  ])("the endpoint may be %s", (endpoint) => {
    expect(sinkOf("", { S3_PREFIX: "p", AWS_REGION: "r-1", AWS_ENDPOINT_URL_S3: endpoint })).toMatchObject({
      endpoint,
    });
  });

  test.each([
    "http://minio:9000",
    "http://10.0.0.7",
    "http://127.0.0.1.example.com",
    "http://localhost.example.com",
  ])("the endpoint may be %s only where that is allowed", (endpoint) => {
    const env = { S3_PREFIX: "p", AWS_REGION: "r-1", AWS_ENDPOINT_URL_S3: endpoint };
    expect(problems("", env)).toContainEqual(
      expect.stringMatching(/s3_configuration\.endpoint.*https.*allow_insecure_endpoint: true/),
    );
    expect(sinkOf("s3_configuration: {allow_insecure_endpoint: true}", env)).toMatchObject({ endpoint });
  });

  test("S3_REGION comes before AWS_REGION, AWS_ENDPOINT_URL_S3 before AWS_ENDPOINT_URL; an endpoint means path style", () => {
    const env = {
      S3_PREFIX: "p",
      AWS_REGION: "eu-west-1",
      AWS_ENDPOINT_URL: "https://all.example.com",
    };
    expect(sinkOf("", env)).toMatchObject({
      region: "eu-west-1",
      endpoint: "https://all.example.com",
      forcePathStyle: true,
    });
    const stronger = { ...env, S3_REGION: "us-east-1", AWS_ENDPOINT_URL_S3: "https://s3.example.com" };
    expect(sinkOf("", stronger)).toMatchObject({ region: "us-east-1", endpoint: "https://s3.example.com" });
  });

  test("without region and names says everything that is missing", () => {
    expect(problems("s3_configuration:\n  enabled: true\n  buckets: {raw: b-raw}")).toEqual([
      `s3_configuration.region: is required to ship to S3; set it in the file, or in S3_REGION or AWS_REGION (or ship to a folder: --directory DIR, or s3_configuration.enabled: false) (${CONFIG}:2)`,
      `s3_configuration.prefix: is required for the names of the buckets of schematized, aggregated, emergency; set it in the file or in S3_BUCKET_PREFIX, or name each bucket in s3_configuration.buckets (${CONFIG}:2)`,
    ]);
  });

  test("a prefix that makes bad names is reported once, a bad bucket where it stands", () => {
    expect(problems("s3_configuration: {prefix: My, region: us-west-2}")).toEqual([
      `s3_configuration.prefix: makes a name for a bucket that may hold only lower-case letters, digits, dots and hyphens (${CONFIG}:1)`,
    ]);
    expect(problems("", { S3_PREFIX: "p", S3_REGION: "r", S3_BUCKET_RAW: "-x-" })).toEqual([
      's3_configuration.buckets.raw: must begin and end with a letter or a digit (bucket "-x-") (environment variable S3_BUCKET_RAW)',
    ]);
  });

  test("a KMS key without aws:kms would not be used", () => {
    const env = { S3_PREFIX: "p", S3_REGION: "r" };
    const line = `s3_configuration.kms_key_id: needs s3_configuration.sse: aws:kms; without that the key would not be used (${CONFIG}:1)`;
    expect(problems("s3_configuration: {kms_key_id: k}", env)).toEqual([line]);
    expect(problems("s3_configuration: {kms_key_id: k, sse: AES256}", env)).toEqual([line]);
  });

  test.each([
    "https://user:hunter2@s3.example.com",
    "https://:hunter2@s3.example.com",
    "user:hunter2@s3.example.com",
    "https://s3.example.com/?key=hunter2",
    "s3.example.com",
  ])("an endpoint %s is refused and not shown", (endpoint) => {
    const [line, ...others] = problems("", { S3_PREFIX: "p", S3_REGION: "r", AWS_ENDPOINT_URL_S3: endpoint });
    expect(others).toEqual([]);
    expect(line).toMatch(
      /^s3_configuration\.endpoint: must .* \(environment variable AWS_ENDPOINT_URL_S3\)$/,
    );
    expect(line).not.toContain("hunter2");
  });
});

describe("a folder", () => {
  const local = {
    raw: "local-databricks-raw-local",
    schematized: "local-databricks-schematized-local",
    aggregated: "local-databricks-aggregated-local",
    emergency: "local-databricks-emergency-local",
  };

  test("is shipped to where S3 is off, in the file or by S3_ENABLED", () => {
    const sink = { kind: "directory", directory: "/srv/folder/lake", buckets: local };
    expect(sinkOf("s3_configuration: {enabled: false}")).toEqual(sink);
    expect(sinkOf("s3_configuration: {enabled: true}", { S3_ENABLED: "no" })).toEqual(sink);
  });

  test("--directory alone turns S3 off, OUTPUT_DIRECTORY does not", () => {
    const env = { S3_ENABLED: "true", S3_PREFIX: "p", S3_REGION: "r" };
    expect(sinkOf("", env, { directory: "out" })).toMatchObject({
      kind: "directory",
      directory: "/srv/folder/out",
    });
    expect(sinkOf("", { ...env, OUTPUT_DIRECTORY: "out" })).toMatchObject({ kind: "s3" });
  });

  test("has the buckets' names, but AWS_REGION is not part of them", () => {
    const env = { S3_ENABLED: "0", AWS_REGION: "eu-west-1" };
    expect(sinkOf("", env).buckets).toEqual(local);
    expect(
      sinkOf("", { ...env, S3_PREFIX: "p", S3_REGION: "us-west-2", S3_BUCKET_RAW: "mine" }).buckets,
    ).toMatchObject({
      raw: "mine",
      emergency: "p-databricks-emergency-us-west-2",
    });
  });

  test("keeps its names to the rules, so that none leaves it", () => {
    expect(problems("s3_configuration: {enabled: false, prefix: ../../x}")).toEqual([
      `s3_configuration.prefix: makes a name for a bucket that may hold only lower-case letters, digits, dots and hyphens (${CONFIG}:1)`,
    ]);
    expect(problems("s3_configuration: {enabled: false, buckets: {raw: ..}}")[0]).toContain(
      "must have 3 to 63",
    );
  });
});

test("where it is not clear whether S3 is meant, nothing else is said to be missing", () => {
  expect(problems("s3_configuration: {enabled: nope}")).toEqual([
    `s3_configuration.enabled: must be true or false, not "nope" (${CONFIG}:1)`,
  ]);
});
