import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const read = (file: string) => readFileSync(join(ROOT, file), "utf8");
const FILES = ["Dockerfile", "sample-sensor/Dockerfile", "deploy/versitygw.Dockerfile"];
const [UPLOADER, SENSOR] = FILES.map(read) as [string, string];

describe.each(FILES)("%s", (file) => {
  const text = read(file);

  test("has nothing that an engine of 20.10 cannot build", () => {
    expect(text).not.toMatch(/^#\s*syntax=/m);
    expect(text).not.toMatch(/--link\b/);
    expect(text).not.toMatch(/^(RUN|COPY)\b.*<</m);
  });

  test("takes its base image as an argument", () => {
    expect(text).toMatch(/^ARG BASE_IMAGE=node:24-bookworm-slim$/m);
    expect(text.match(/^FROM .*$/gm)?.every((line) => /^FROM \$\{BASE_IMAGE\}( AS build)?$/.test(line))).toBe(
      true,
    );
  });
});

/** From its FROM up to that of the second stage. */
function buildStage(text: string): string {
  return text.slice(text.indexOf("\nFROM "), text.lastIndexOf("\nFROM "));
}

test("both images are built by the same first stage, so that the second one finds it in the cache", () => {
  expect(buildStage(SENSOR)).toBe(buildStage(UPLOADER));
});

test.each([UPLOADER, SENSOR])(
  "packages are installed before the sources are there, and pruned for the last stage",
  (text) => {
    const stage = buildStage(text);
    const at = (line: string) => {
      expect(stage).toContain(line);
      return stage.indexOf(line);
    };
    expect(at("COPY package.json package-lock.json ./")).toBeLessThan(at("RUN npm ci"));
    expect(at("RUN npm ci")).toBeLessThan(at("COPY src src"));
    expect(at("npm run --silent build")).toBeLessThan(at("npm prune --omit=dev"));
  },
);

test.each([UPLOADER, SENSOR])(
  "the last stage runs as node, is looked after, and has its labels last",
  (text) => {
    const stage = text.slice(text.lastIndexOf("\nFROM "));
    expect(stage).toMatch(/^USER node$/m);
    expect(stage).toMatch(/^HEALTHCHECK .*\\\n {2}CMD \["node", "-e", /m);
    for (const label of ["title", "description", "licenses", "version", "revision", "created"])
      expect(stage.slice(stage.indexOf("\nENTRYPOINT"))).toContain(`org.opencontainers.image.${label}=`);
  },
);

test("the uploader's image declares no volume, which would keep a lost state from being warned of", () => {
  expect(UPLOADER).not.toMatch(/^VOLUME/m);
  expect(UPLOADER).toContain("UPLOADER_IN_CONTAINER=true");
});

test("what the Dockerfiles copy is let through, and no secret or database", () => {
  const [first, ...allowed] = read(".dockerignore")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("#"));
  expect(first).toBe("*");
  const patterns = allowed.map((line) => line.replace(/^!/, "").replace(/\/\*+$/, ""));
  const copied = [UPLOADER, SENSOR].flatMap((text) =>
    [...text.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, sources = ""]) => sources.split(" ")),
  );
  for (const source of copied)
    expect(
      patterns.some((pattern) => source === pattern || source.startsWith(`${pattern}/`)),
      source,
    ).toBe(true);
  expect(patterns.join()).not.toMatch(/env|credentials|data|\.db/);
});
