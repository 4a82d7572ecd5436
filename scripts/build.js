// Bundles the programs and threads into dist/, so that a start loads a few files instead of some hundred; what is
// imported when it is needed stays in files of its own. Types are looked at by `npm run typecheck`.
import { chmodSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const { bin, engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const [nodeVersion] = engines.node.match(/[\d.]+/);

const THREADS = ["src/threads/reader-thread.ts", "src/threads/encoder-thread.ts"];
const PROGRAMS = Object.values(bin).map((path) => path.replace(/^dist\/(.*)\.js$/, "$1.ts"));

/** Packages that load files of their own: a native module, WebAssembly, a stream in a thread. */
const EXTERNAL = ["better-sqlite3", "parquet-wasm", "pino-pretty"];

for (const folder of ["src", "sample-sensor", "chunks"])
  rmSync(join(ROOT, "dist", folder), { recursive: true, force: true });
await build({
  absWorkingDir: ROOT,
  entryPoints: [...PROGRAMS, ...THREADS],
  outdir: "dist",
  outbase: ".",
  chunkNames: "chunks/[name]-[hash]",
  bundle: true,
  splitting: true,
  format: "esm",
  platform: "node",
  target: `node${nodeVersion}`,
  external: EXTERNAL,
  // Packages in CommonJS call `require`, which ES modules do not have.
  banner: {
    js: `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);`,
  },
  sourcemap: true,
  sourcesContent: false,
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "linked",
  logLevel: "warning",
});
// esbuild writes no execute bit, which the programs need when they are run by path.
for (const path of Object.values(bin)) chmodSync(join(ROOT, path), 0o755);
