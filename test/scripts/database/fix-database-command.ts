import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";

const SCRIPT = join(import.meta.dirname, "../../../scripts/fix_sensor_database_corruption.sh");

export interface Fixed {
  readonly code: number;
  readonly printed: string;
}

/** Runs the script as an operator does, or as another user, with its number. */
export async function fixDatabase(
  args: readonly string[],
  env: Record<string, string> = {},
  uid?: number,
): Promise<Fixed> {
  const { PATH = "", HOME = "", UPLOADER_SQLITE_SHELL = "" } = process.env;
  const child = spawn(SCRIPT, args, {
    env: { PATH, HOME, UPLOADER_SQLITE_SHELL, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  let printed = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      printed += text;
    });
  const [code] = await once(child, "close");
  return { code, printed };
}
