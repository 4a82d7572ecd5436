import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type S3Server, startVersitygw } from "../test/support/s3-servers.ts";
import { DATA, ROOT } from "./places.ts";

/** Starts the S3 server of the tests on the disk that the tables are on, and installs it where it is missing. */
export async function startServer(say: (text: string) => void): Promise<S3Server> {
  const folder = join(DATA, "versitygw");
  rmSync(folder, { recursive: true, force: true });
  // What the SDK says of this Node.js would stand between the results.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= "true";
  say("looks for versitygw");
  // Says why on standard error where it cannot be installed.
  execFileSync(join(ROOT, "scripts", "setup-test-tools.sh"), { stdio: ["ignore", "ignore", "inherit"] });
  const server = await startVersitygw({ folder });
  return {
    ...server,
    async stop() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
