import { hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { constants, Script } from "node:vm";
import { keepYoungGenerationSmall } from "./core/young-generation.ts";

const DIGEST_BYTES = 32;

/** What V8 has compiled of a bundle is of use to the same Node.js on the same kind of machine alone. */
export function compiledPath(bundle: string): string {
  return `${bundle}.${process.version}-${process.arch}.compiled`;
}

/** What the file with compiled code has: a digest, since V8 may take what is damaged for whole, and the code. */
export function packCompiled(code: Buffer): Buffer {
  return Buffer.concat([digestOf(code), code]);
}

/**
 * Runs a bundle with the code that V8 compiled of it when the package was built: that takes a third off the time of
 * a start. Where there is none, where it is damaged, or where V8 does not take it, as with other V8 options, the
 * bundle is compiled anew. https://nodejs.org/api/vm.html#scriptcreatecacheddata
 *
 * V8 looks only at the length of what was compiled, so that the build gives each content a name of its own.
 */
export function runBundle(path: string): void {
  const module = { exports: {} };
  const run = loadBundle(path).runInThisContext();
  run(createRequire(path), module, module.exports, dirname(path), pathToFileURL(path).href);
}

/** A script whose value is the bundle's function. Its `cachedDataRejected` is false where V8 took the compiled code. */
export function loadBundle(path: string): Script {
  const source = readFileSync(path, "utf8");
  const cachedData = readCompiled(compiledPath(path));
  // Here, since V8 takes only what was compiled with the same settings, and a thread that starts takes this one back:
  // where another starts at this very moment, this one compiles.
  keepYoungGenerationSmall();
  const importModuleDynamically = constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  return new Script(source, { filename: path, cachedData, importModuleDynamically });
}

function readCompiled(path: string): Buffer | undefined {
  try {
    const packed = readFileSync(path);
    const code = packed.subarray(DIGEST_BYTES);
    return digestOf(code).equals(packed.subarray(0, DIGEST_BYTES)) ? code : undefined;
  } catch {
    return undefined;
  }
}

function digestOf(code: Buffer): Buffer {
  return hash("sha256", code, "buffer");
}
