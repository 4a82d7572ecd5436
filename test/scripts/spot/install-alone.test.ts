import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";

const SCRIPT = readFileSync(join(import.meta.dirname, "../../../scripts/spot/install.sh"));

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "install-alone-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** As `curl … | bash -s -- …` does. */
function pipe(parameters: readonly string[], environment: Record<string, string> = {}) {
  return spawnSync("bash", ["-s", "--", ...parameters], {
    input: SCRIPT,
    encoding: "utf8",
    cwd: folder,
    timeout: 60_000,
    env: { PATH: process.env.PATH ?? "", HOME: folder, ...environment },
  });
}

/** A repository with another program in place of ours, that says what it was called with; the address of it. */
function repository(): string {
  const path = join(folder, "repository");
  mkdirSync(join(path, "scripts/spot"), { recursive: true });
  mkdirSync(join(path, "scripts/aws"));
  writeFileSync(join(path, "scripts/spot/install.sh"), SCRIPT);
  const git = (...parameters: string[]) =>
    execFileSync("git", ["-C", path, "-c", "user.name=t", "-c", "user.email=t@example.com", ...parameters], {
      stdio: "ignore",
    });
  git("init", "-q");
  for (const version of ["v1", "v2"]) {
    writeFileSync(
      join(path, "scripts/aws/run.sh"),
      `#!/bin/bash\necho "${version} from $(cat)"\nprintf '<%s>' "$@"\n`,
      { mode: 0o755 },
    );
    git("add", "-A");
    git("commit", "-q", "-m", version);
    git("tag", version);
  }
  return `file://${path}`;
}

describe("scripts/spot/install.sh without a clone", () => {
  test("clones the project as the options name it, and does there what was asked", () => {
    const url = repository();
    const first = pipe(["create", "--repository", url, "--revision=v1", "--prefix", "a b"]);
    expect(first).toMatchObject({ status: 0, stderr: "" });
    expect(first.stdout).toContain("v1 from ");
    expect(first.stdout).toContain(
      `<../spot/fleet-program><create><--repository><${url}><--revision=v1><--prefix><a b>`,
    );
    expect(pipe(["status"], { UPLOADER_REPOSITORY: url }).stdout).toContain("v2 from ");
  });

  test("an address with a user is refused before git writes it down, and not repeated", () => {
    const refused = pipe(["create", "--repository", "https://me:s3cret@git.example.com/p"]);
    expect(refused).toMatchObject({ status: 2, stderr: expect.stringContaining("leave the user out") });
    expect(refused.stderr + refused.stdout).not.toContain("s3cret");
    expect(existsSync(join(folder, ".cache"))).toBe(false);
  });

  test("says what it needs", () => {
    expect(pipe(["create"])).toMatchObject({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining("name one with --repository or UPLOADER_REPOSITORY"),
    });
    const bin = join(folder, "bin");
    mkdirSync(bin);
    for (const name of ["bash", "dirname", "git"])
      execFileSync("ln", ["-s", execFileSync("which", [name], { encoding: "utf8" }).trim(), join(bin, name)]);
    expect(pipe(["create", "--repository", "https://git.example.com/p"], { PATH: bin })).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("node is missing; git and Node.js 20.19 or later with npm are needed"),
    });
    expect(pipe(["create", "--repository", repository(), "--revision", "v9"])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("git could not fetch v9"),
    });
  });
});
