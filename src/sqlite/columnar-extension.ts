import { existsSync } from "node:fs";
import { join } from "node:path";
import { findPackage } from "../package-root.ts";
import type { Connection } from "./open.ts";

const FILE_NAMES: Partial<Record<NodeJS.Platform, string>> = {
  darwin: "columnar.dylib",
  win32: "columnar.dll",
};

const extended = new WeakSet<Connection>();

/** Whether the connection has `columnar`. */
export function hasColumnar(db: Connection): boolean {
  return extended.has(db);
}

/**
 * Gives a connection the functions of native/: `columnar` and `grouped` for `readColumnar`, `parquet` for
 * `createNativeEncoder`, and a `timestamp_micros` that takes the place of that of `registerFunctions`, which has to be
 * called before. They only save time: where the extension is not built or cannot be loaded, or UPLOADER_NATIVE is `off`,
 * all is done without it.
 *
 * @param onRefused is told why the extension is not used
 * @returns whether the connection has the functions; never an error
 */
export function loadColumnarExtension(db: Connection, onRefused?: (reason: string) => void): boolean {
  try {
    if (process.env.UPLOADER_NATIVE === "off") throw new Error("UPLOADER_NATIVE is off");
    const name = FILE_NAMES[process.platform] ?? "columnar.so";
    const path = join(findPackage().folder, "dist/native", name);
    if (!existsSync(path))
      throw new Error(`${name} is not built; where there is a C compiler, \`npm run build\` builds it`);
    db.loadExtension(path);
    extended.add(db);
    return true;
  } catch (error) {
    onRefused?.(error instanceof Error ? error.message : String(error));
    return false;
  }
}
