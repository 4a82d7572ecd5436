// Compiles native/*.c to dist/native/columnar.{so,dylib,dll} where that is missing or older than they are. Without
// a C compiler, or where it fails, the uploader does the same work in TypeScript and WebAssembly, more slowly: no
// failure.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
const SOURCES = join(ROOT, "native");
const NAME = { darwin: "columnar.dylib", win32: "columnar.dll" }[process.platform] ?? "columnar.so";
const TARGET = join(ROOT, "dist/native", NAME);

/** Only sqlite3ext.h and sqlite3.h are needed of it, so that no Node.js headers are. */
const SQLITE = join(
  dirname(createRequire(import.meta.url).resolve("better-sqlite3/package.json")),
  "deps/sqlite3",
);
const FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-shared"];
if (process.platform !== "win32") FLAGS.push("-fPIC");

if (!isUpToDate()) {
  const reason = compile();
  if (reason) console.log(`native: ${reason}; without the C extension the uploader takes longer`);
}

function isUpToDate() {
  if (!existsSync(TARGET)) return false;
  const built = statSync(TARGET).mtimeMs;
  const inputs = [
    import.meta.filename,
    join(SQLITE, "sqlite3ext.h"),
    ...readdirSync(SOURCES).map((file) => join(SOURCES, file)),
  ];
  return inputs.every((path) => existsSync(path) && statSync(path).mtimeMs <= built);
}

/** @returns {string | null} why there is no extension */
function compile() {
  rmSync(TARGET, { force: true }); // one that is out of date may return another layout
  const compiler = findCompiler();
  if (!compiler) return "there is no C compiler (CC, cc, gcc, clang)";
  const [command, ...options] = compiler;
  mkdirSync(dirname(TARGET), { recursive: true });
  // In place only when it is complete, and never into a file that a running uploader has mapped.
  const unfinished = `${TARGET}.${process.pid}`;
  const sources = readdirSync(SOURCES)
    .filter((file) => file.endsWith(".c"))
    .map((file) => join(SOURCES, file));
  const { status, stderr } = spawnSync(
    command,
    [...options, ...FLAGS, "-I", SQLITE, ...sources, "-lm", "-o", unfinished],
    { encoding: "utf8" },
  );
  if (status !== 0) {
    rmSync(unfinished, { force: true });
    return `${command} failed: ${stderr.split("\n").find((line) => line.includes("error")) ?? `exit ${status}`}`;
  }
  renameSync(unfinished, TARGET);
  return null;
}

/** @returns {string[] | undefined} a command and what `CC` says besides, as in `ccache gcc` */
function findCompiler() {
  const named = process.env.CC?.split(/\s+/).filter(Boolean) ?? [];
  return [named, ["cc"], ["gcc"], ["clang"]].find(
    ([command, ...options]) =>
      command !== undefined &&
      spawnSync(command, [...options, "--version"], { stdio: "ignore" }).status === 0,
  );
}
