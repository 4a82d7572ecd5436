import { cpSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "../native/native-suite.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A folder with the built package, apart from what other tests use. */
export function copyOfBuild(): string {
  const folder = temporaryFolder();
  cpSync(join(ROOT, "dist"), join(folder, "dist"), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(folder, "package.json"));
  symlinkSync(join(ROOT, "node_modules"), join(folder, "node_modules"));
  return folder;
}
