import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** What V8 writes of a thread: https://nodejs.org/api/cli.html#node_v8_coveragedir */
interface Coverage {
  readonly result: readonly {
    readonly url: string;
    readonly functions: readonly {
      readonly functionName: string;
      readonly ranges: readonly [{ readonly count: number }];
    }[];
  }[];
}

/** The environment in which a program, and each of its threads, writes to a file in `folder` what it has run. */
export function recordLoadedModules(folder: string): Readonly<Record<string, string>> {
  return { NODE_V8_COVERAGE: folder };
}

/**
 * The packages that a recorded program has loaded. Where they are bundled, a module is a function that has its path as
 * its name, and is called when the module is needed first; that is so as long as each program imports what it consists
 * of by `import()`.
 */
export function packagesIn(folder: string): ReadonlySet<string> {
  const scripts = readdirSync(folder).flatMap(
    (name) => (JSON.parse(readFileSync(join(folder, name), "utf8")) as Coverage).result,
  );
  const modules = scripts.flatMap(({ url, functions }) => [
    url,
    ...functions.filter(({ ranges }) => ranges[0].count > 0).map(({ functionName }) => functionName),
  ]);
  return new Set(modules.flatMap((path) => /.*node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1] ?? []));
}
