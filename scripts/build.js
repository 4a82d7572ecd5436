// Bundles the programs and threads into dist/, so that a start loads a few files instead of some hundred; what is
// imported when it is needed stays in files of its own. Types are looked at by `npm run typecheck`.
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { build } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const { bin, engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const [nodeVersion] = engines.node.match(/[\d.]+/);

const THREADS = ["src/threads/reader-thread.ts", "src/threads/encoder-thread.ts"];
const PROGRAMS = Object.values(bin).map((path) => path.replace(/^dist\/(.*)\.js$/, "$1.ts"));

/** Packages that load files of their own: a native module, WebAssembly, a stream in a thread. */
const EXTERNAL = ["better-sqlite3", "parquet-wasm", "pino-pretty"];

const { metafile } = await build({
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
  alias: { "string-width": join(ROOT, "src/cli/text-width.ts") },
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
  metafile: true,
});
// What an earlier build left goes now and not before, since programs may be running from here.
const built = new Set(Object.keys(metafile.outputs));
for (const folder of ["dist/src", "dist/sample-sensor", "dist/chunks"].filter((path) =>
  existsSync(join(ROOT, path)),
))
  for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile() && !built.has(relative(ROOT, path))) rmSync(path);
  }
// esbuild writes no execute bit, which the programs need when they are run by path.
for (const path of Object.values(bin)) chmodSync(join(ROOT, path), 0o755);
