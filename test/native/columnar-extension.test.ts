import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, expect, it, vi } from "vitest";
import { loadColumnarExtension } from "../../src/sqlite/columnar-extension.ts";
import { openMemory } from "../query/tables.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { nativeSuite, ROOT } from "./native-suite.ts";

nativeSuite("the extension", () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it("is loaded where it is built", () => {
    const db = openMemory();
    const refused = vi.fn();
    expect(loadColumnarExtension(db, refused)).toBe(true);
    expect(refused).not.toHaveBeenCalled();
    expect(db.prepare("SELECT columnar('SELECT 1 WHERE 0', 'i', 0, 1000)").pluck().get()).toBeNull();
  });

  it("is left out where UPLOADER_NATIVE is off", () => {
    vi.stubEnv("UPLOADER_NATIVE", "off");
    const db = openMemory();
    const refused = vi.fn();
    expect(loadColumnarExtension(db, refused)).toBe(false);
    expect(refused).toHaveBeenCalledWith("UPLOADER_NATIVE is off");
    expect(() => db.prepare("SELECT columnar('SELECT 1', 'i', 0, 1000)")).toThrow("no such function");
  });

  it("is no error on a connection that cannot load it", () => {
    const db = openMemory();
    db.close();
    const refused = vi.fn();
    expect(loadColumnarExtension(db, refused)).toBe(false);
    expect(refused).toHaveBeenCalledWith("The database connection is not open");
  });

  it("is no error where it is not built, or is not one", async () => {
    const copy = copyOfPackage();
    const module = join(copy, "src/sqlite/columnar-extension.ts");
    mkdirSync(dirname(module), { recursive: true });
    for (const file of ["src/sqlite/columnar-extension.ts", "src/package-root.ts", "package.json"])
      cpSync(join(ROOT, file), join(copy, file));
    const { loadColumnarExtension: load } = await import(pathToFileURL(module).href);
    const refused = vi.fn();
    expect(load(openMemory(), refused)).toBe(false);
    expect(refused).toHaveBeenLastCalledWith(expect.stringContaining("is not built"));
    mkdirSync(dirname(library(copy)), { recursive: true });
    writeFileSync(library(copy), "for another machine");
    expect(load(openMemory(), refused)).toBe(false);
    expect(refused).toHaveBeenCalledTimes(2);
    rmSync(library(copy));
    build(copy);
    expect(load(openMemory(), refused)).toBe(true);
  });

  it("is built once, and again when a source has changed", () => {
    const copy = copyOfPackage();
    expect(build(copy)).toBe("");
    const built = statSync(library(copy)).mtimeMs;
    build(copy);
    expect(statSync(library(copy)).mtimeMs).toBe(built);
    utimesSync(library(copy), 1000, 1000);
    build(copy);
    expect(statSync(library(copy)).mtimeMs).toBeGreaterThanOrEqual(built);
    expect(readdirSync(dirname(library(copy)))).toHaveLength(1);
  });

  it.each([
    ["there is no compiler", { CC: "", PATH: "/nonexistent" }, "there is no C compiler"],
    ["the compiler fails", { CC: "cc -include /nonexistent.h" }, "cc failed: "],
  ])("is not built where %s, which is no failure and leaves no old one", (_, environment, said) => {
    const copy = copyOfPackage();
    build(copy);
    const later = new Date(Date.now() + 10_000);
    utimesSync(join(copy, "native/columnar.c"), later, later);
    const output = build(copy, environment);
    expect(output).toContain(said);
    expect(output.trimEnd().split("\n")).toHaveLength(1);
    expect(existsSync(library(copy))).toBe(false);
  });
});

/** The sources and the script that compiles them, to be compiled apart from what other tests use. */
function copyOfPackage(): string {
  const folder = temporaryFolder();
  cpSync(join(ROOT, "native"), join(folder, "native"), { recursive: true });
  cpSync(join(ROOT, "scripts/build-native.js"), join(folder, "scripts/build-native.js"));
  cpSync(join(ROOT, "package.json"), join(folder, "package.json"));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}

function build(folder: string, environment: NodeJS.ProcessEnv = {}): string {
  return execFileSync(process.execPath, [join(folder, "scripts/build-native.js")], {
    encoding: "utf8",
    env: { ...process.env, ...environment },
  });
}

function library(folder: string): string {
  const name = { darwin: "columnar.dylib", win32: "columnar.dll" }[process.platform as string];
  return join(folder, "dist/native", name ?? "columnar.so");
}
