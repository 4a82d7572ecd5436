import { createHash } from "node:crypto";
import { readFileSync, statSync } from "node:fs";

/** Of a database and its log, where it has anything: whoever looks at a database in WAL mode makes an empty one. */
export function fileHashes(path: string): string[] {
  return ["", "-wal"]
    .filter((suffix) => statSync(path + suffix, { throwIfNoEntry: false })?.size)
    .map((suffix) =>
      createHash("sha256")
        .update(readFileSync(path + suffix))
        .digest("hex"),
    );
}
