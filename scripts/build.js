// Bundles each program and thread into one file under dist/bundles/, which a start loads instead of some hundred; what
// is imported when it is needed is run then. `src/run-bundle.ts` says how it is loaded; the files in dist/ that have the
// names of their sources do nothing else. Types are looked at by `npm run typecheck`.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { build } from "esbuild";

const ROOT = join(import.meta.dirname, "..");
const { bin, engines } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
const [nodeVersion] = engines.node.match(/[\d.]+/);

/** By the names of their bundles. */
const ENTRIES = {
  ...Object.fromEntries(
    Object.entries(bin).map(([name, path]) => [name, path.replace(/^dist\/(.*)\.js$/, "$1.ts")]),
  ),
  "reader-thread": "src/threads/reader-thread.ts",
  "encoder-thread": "src/threads/encoder-thread.ts",
};

/** Packages that load files of their own: a native module, WebAssembly, a stream in a thread. */
const EXTERNAL = ["better-sqlite3", "parquet-wasm", "pino-pretty"];

const options = {
  absWorkingDir: ROOT,
  bundle: true,
  format: "cjs",
  platform: "node",
  target: `node${nodeVersion}`,
  logLevel: "warning",
};
const { metafile } = await build({
  ...options,
  entryPoints: ENTRIES,
  outdir: "dist/bundles",
  // A name for each content: see run-bundle.ts.
  entryNames: "[name]-[hash]",
  external: EXTERNAL,
  alias: { "string-width": join(ROOT, "src/cli/text-width.ts") },
  // A function, which run-bundle.ts calls, with what an ES module knows of itself.
  banner: {
    js: `(function (require, module, exports, __dirname, __url) { "use strict";`,
  },
  footer: { js: "})" },
  define: { "import.meta.dirname": "__dirname", "import.meta.url": "__url" },
  sourcemap: true,
  sourcesContent: false,
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "linked",
  metafile: true,
});
await build({ ...options, entryPoints: ["src/run-bundle.ts"], outfile: "dist/src/run-bundle.js" });

const written = new Set(["dist/src/run-bundle.js", ...Object.keys(metafile.outputs)]);
writeFileSync(join(ROOT, "dist/package.json"), '{ "type": "commonjs" }\n');
for (const [bundle, { entryPoint }] of Object.entries(metafile.outputs)) {
  if (!entryPoint) continue;
  const start = `dist/${entryPoint.replace(/\.ts$/, ".js")}`;
  const from = (path) => relative(dirname(start), path);
  mkdirSync(join(ROOT, dirname(start)), { recursive: true });
  writeFileSync(
    join(ROOT, start),
    `#!/usr/bin/env node
require("${from("dist/src/run-bundle.js")}").runBundle(require("node:path").join(__dirname, "${from(bundle)}"));
`,
  );
  // The programs need it when they are run by path.
  chmodSync(join(ROOT, start), 0o755);
  written.add(start);
}

// What an earlier build left goes now and not before, since programs may be running from here.
for (const folder of ["dist/src", "dist/sample-sensor", "dist/bundles"].filter((path) =>
  existsSync(join(ROOT, path)),
))
  for (const entry of readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })) {
    const path = relative(ROOT, join(entry.parentPath, entry.name));
    const isCompiled = path.endsWith(".compiled") && written.has(path.replace(/\.v[^/]*\.compiled$/, ""));
    if (entry.isFile() && !written.has(path) && !isCompiled) rmSync(join(ROOT, path));
  }
