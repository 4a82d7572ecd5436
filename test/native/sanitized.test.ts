import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, it } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { nativeSuite, ROOT } from "./native-suite.ts";

const SQLITE = join(
  dirname(createRequire(import.meta.url).resolve("better-sqlite3/package.json")),
  "deps/sqlite3",
);
/** SQLite takes the compiler longer than all the rest, so it is compiled once. */
const SQLITE_OBJECT = join(ROOT, ".cache/native/sqlite3.o");
const SANITIZERS = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"];

nativeSuite("native/ under sanitizers", defineSuite, SANITIZERS);

function defineSuite(compiler: string): void {
  it("has nothing to complain of, whatever the values, queries and limits, whichever allocation fails", () => {
    compileSqlite(compiler);
    const program = join(temporaryFolder(), "sanitized");
    const sources = readdirSync(join(ROOT, "native"))
      .filter((file) => file.endsWith(".c"))
      .map((file) => join(ROOT, "native", file));
    execFileSync(compiler, [
      ...["-std=c11", "-O1", "-g", "-Wall", "-Wextra", ...SANITIZERS],
      ...["-DSQLITE_CORE", "-DMOST_BYTES=65536", "-DMOST_KEPT_BYTES=4096", "-DMOST_GROUPED_BYTES=16384"],
      ...["-I", SQLITE],
      ...["-DPAGE_BYTES=2000", "-DDICTIONARY_BYTES=1000", "-DPIECE_BYTES=3000"],
      ...[...sources, join(import.meta.dirname, "sanitized.c"), SQLITE_OBJECT, "-lm", "-o", program],
    ]);
    const { status, stdout, stderr } = spawnSync(program, { encoding: "utf8" });
    expect(`${stdout}${stderr}`).toMatch(/^\d{4,} allocations failed\n$/);
    expect(status).toBe(0);
  }, 300_000);
}

function compileSqlite(compiler: string): void {
  const source = join(SQLITE, "sqlite3.c");
  if (existsSync(SQLITE_OBJECT) && statSync(SQLITE_OBJECT).mtimeMs > statSync(source).mtimeMs) return;
  mkdirSync(dirname(SQLITE_OBJECT), { recursive: true });
  const options = ["-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION"];
  execFileSync(compiler, ["-c", "-O1", ...options, source, "-o", SQLITE_OBJECT]);
}
