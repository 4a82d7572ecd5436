import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { loadSettings } from "../../src/config/load-settings.ts";

const ROOT = join(import.meta.dirname, "../..");

interface Service {
  readonly image?: string;
  readonly profiles?: readonly string[];
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly healthcheck?: { readonly disable?: boolean; readonly interval?: string };
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
}

interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

const compose: ComposeFile = parse(readFileSync(join(ROOT, "docker-compose.yml"), "utf8"), { merge: true });
const services = Object.entries(compose.services);
const ONE_SHOT = ["pipeline-manager", "make-buckets"];
const lasting = services.filter(([name]) => !ONE_SHOT.includes(name));
const uploaders = services.filter(([name]) => name.startsWith("uploader"));

test("it has nothing that Compose 1.29 does not know", () => {
  const top = Object.keys(compose).filter((key) => !key.startsWith("x-"));
  expect(top.sort()).toEqual(["services", "volumes"]);
});

test.each(lasting)("%s is restarted, and looked after", (_, { restart, healthcheck }) => {
  expect(restart).toBe("unless-stopped");
  expect(healthcheck?.interval).toMatch(/^\d+s$/);
});

test.each(ONE_SHOT)("%s ends, and is neither restarted nor looked after", (name) => {
  expect(compose.services[name]).toMatchObject({ restart: "no", healthcheck: { disable: true } });
});

test("what starts by itself is one node and its server; the others have a profile", () => {
  const started = services.filter(([, { profiles }]) => !profiles).map(([name]) => name);
  expect(started.sort()).toEqual(["make-buckets", "s3", "sensor", "uploader"]);
  const profiles = services.flatMap(([, service]) => service.profiles ?? []);
  expect([...new Set(profiles)].sort()).toEqual(["aws", "fleet", "tools"]);
});

test.each(services)("%s has data on named volumes alone", (_, service) => {
  for (const volume of service.volumes ?? []) {
    const [source = "", target = ""] = volume.split(":");
    if (target !== "/config.yaml") expect(compose.volumes).toHaveProperty([source]);
  }
});

test.each(uploaders)(
  "%s waits for its sensor, whose volume it shares, and keeps its state",
  (name, service) => {
    const sensor = Object.keys(service.depends_on ?? {}).find((other) => other.startsWith("sensor")) ?? "";
    expect(service.depends_on?.[sensor]?.condition).toBe("service_healthy");
    const dataOf = (other: string) =>
      compose.services[other]?.volumes?.find((volume) => volume.endsWith(":/data"));
    expect(dataOf(name)).toBe(dataOf(sensor));
    expect(service.volumes?.filter((volume) => volume.endsWith(":/state"))).toHaveLength(1);
    expect(service.read_only).toBe(true);
  },
);

test("no two uploaders share a state, nor those of one lake a node id", () => {
  const states = uploaders.map(([, { volumes }]) => volumes?.find((volume) => volume.endsWith(":/state")));
  expect(new Set(states).size).toBe(uploaders.length);
  const local = uploaders.filter(([name]) => name !== "uploader-aws");
  expect(local.map(([, { environment }]) => environment?.NODE_ID)).toEqual(["edge-1", "edge-2", "edge-3"]);
});

test("the aws uploader has neither the local server nor its credentials", () => {
  const service = compose.services["uploader-aws"];
  expect(Object.keys(service?.depends_on ?? {})).toEqual(["sensor"]);
  expect(JSON.stringify(service)).not.toMatch(/local|http:/i);
});

test.each(["deploy/local-s3.yaml", "deploy/image-config.yaml"])("%s is a configuration", (file) => {
  const env = {
    CONFIG_PATH: join(ROOT, file),
    STATE_DIR: "/state",
    S3_PREFIX: "acme",
    S3_REGION: "us-east-1",
  };
  const settings = loadSettings({ argv: {}, env, cwd: ROOT, hostname: "edge" });
  expect(settings).toMatchObject({ sqlitePath: "/data/sensor_data.db", stateDir: "/state" });
});

test("the buckets that are made are those that the local configuration ships to", () => {
  const env = { CONFIG_PATH: join(ROOT, "deploy/local-s3.yaml") };
  const { sink } = loadSettings({ argv: {}, env, cwd: ROOT, hostname: "edge" });
  const made = compose.services["make-buckets"]?.environment;
  expect(sink).toMatchObject({
    kind: "s3",
    endpoint: made?.AWS_ENDPOINT_URL_S3,
    region: made?.S3_REGION,
  });
  expect(JSON.stringify(sink)).toContain(`${made?.S3_PREFIX}-databricks-raw-${made?.S3_REGION}`);
});
