import { execFileSync } from "node:child_process";
import { join } from "node:path";

/** Builds once before the tests, which run the programs as they are shipped. */
export function setup(): void {
  execFileSync("npm", ["run", "--silent", "build"], {
    cwd: join(import.meta.dirname, "../.."),
    stdio: "inherit",
  });
}
