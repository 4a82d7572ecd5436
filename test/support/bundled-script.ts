import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { build, type Plugin } from "esbuild";
import { afterAll } from "vitest";

const ROOT = join(import.meta.dirname, "../..");

/** By the file that imports this. */
const bundles = new Map<string, Promise<string>>();
const folders: string[] = [];
afterAll(async () => {
  await Promise.allSettled(bundles.values());
  for (const folder of folders) await rm(folder, { recursive: true });
});

/**
 * A script's program, by its path from the root, in one file: tsx and the AWS SDK's hundreds of files take longer to
 * start than most runs take.
 */
export function bundledScript(program: string): Promise<string> {
  const bundle = bundles.get(program) ?? bundleOf(program);
  bundles.set(program, bundle);
  return bundle;
}

async function bundleOf(program: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "uploader-script-"));
  folders.push(folder);
  const outfile = join(folder, "program.mjs");
  await build({
    absWorkingDir: ROOT,
    entryPoints: [program],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: `node${process.versions.node}`,
    // Packages in CommonJS call `require`, which ES modules do not have.
    banner: {
      js: `import { createRequire as __createRequire } from "node:module"; const require = __createRequire(${JSON.stringify(join(ROOT, "package.json"))});`,
    },
    plugins: [whereItWas],
    logLevel: "warning",
  });
  return outfile;
}

/** Scripts read files that lie beside them. */
const whereItWas: Plugin = {
  name: "where-it-was",
  setup: ({ onLoad }) =>
    onLoad({ filter: /[\\/]scripts[\\/].*\.ts$/ }, async ({ path }) => ({
      loader: "ts",
      contents: (await readFile(path, "utf8")).replaceAll(
        "import.meta.dirname",
        JSON.stringify(dirname(path)),
      ),
    })),
};
