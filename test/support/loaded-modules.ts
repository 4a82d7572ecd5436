import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** Runs on a thread of its own in the recorded program. */
const HOOK = asModule(`
import { appendFileSync } from "node:fs";
export async function load(url, context, next) {
  appendFileSync(process.env.LOADED_MODULES, url + "\\n");
  return next(url, context);
}`);

const PRELOAD = asModule(`import { register } from "node:module"; register(${JSON.stringify(HOOK)});`);

/** The environment in which a program writes the URL of each module that it loads to `record`, a line each. */
export function recordLoadedModules(record: string): Readonly<Record<string, string>> {
  return { NODE_OPTIONS: `--import=${PRELOAD}`, LOADED_MODULES: record };
}

/** The packages that a recorded program has loaded code of, by the source maps where they are bundled. */
export function packagesIn(record: string): ReadonlySet<string> {
  const urls = readFileSync(record, "utf8").split("\n");
  const files = urls.filter((url) => url.startsWith("file:")).map((url) => fileURLToPath(url));
  const sources = files.flatMap((path) => [path, ...bundledIn(path)]);
  return new Set(sources.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []));
}

function bundledIn(path: string): readonly string[] {
  return existsSync(`${path}.map`) ? JSON.parse(readFileSync(`${path}.map`, "utf8")).sources : [];
}

function asModule(code: string): string {
  return `data:text/javascript,${encodeURIComponent(code)}`;
}
