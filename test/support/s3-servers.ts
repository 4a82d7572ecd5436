import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, appendFileSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { CreateBucketCommand, S3Client } from "@aws-sdk/client-s3";
import { afterAll, beforeAll, describe, it } from "vitest";

/** A server of S3's protocol on a free port of 127.0.0.1, with a folder of its own. */
export interface S3Server {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** What a program needs in its environment to reach it. */
  readonly environment: Readonly<Record<string, string>>;
  /** For the test's own look at what is there. */
  readonly client: S3Client;
  /** versitygw keeps objects here as plain files, `{folder}/{bucket}/{key}`; moto keeps them in memory. */
  readonly folder: string;
  /** Of the server itself, for signals. */
  readonly pid: number;
  createBuckets(names: readonly string[]): Promise<void>;
  stop(): Promise<void>;
}

export interface StartOptions {
  /** Kept when the server stops; without it the server has a new one, which goes with it. */
  readonly folder?: string;
  /** Whether its CPU time comes after that of everything else, as that of a server on another machine would. */
  readonly yields?: boolean;
}

export type ServerName = "versitygw" | "moto";

const CACHE = process.env.UPLOADER_TEST_CACHE || join(homedir(), ".cache", "databricks-uploader");
const PROGRAMS: Record<ServerName, string> = {
  versitygw: join(CACHE, "bin", "versitygw"),
  moto: join(CACHE, "venv-moto", "bin", "moto_server"),
};
const ACCESS_KEY_ID = "test-access-key-id";
const SECRET_ACCESS_KEY = "test-secret-access-key";
const REGION = "us-east-1";

export function startVersitygw(options: StartOptions = {}): Promise<S3Server> {
  return start("versitygw", options, (port, folder) => [
    "--port",
    `127.0.0.1:${port}`,
    "--quiet",
    "posix",
    folder,
  ]);
}

export function startMoto(options: StartOptions = {}): Promise<S3Server> {
  return start("moto", options, (port) => ["-H", "127.0.0.1", "-p", String(port)]);
}

export const START: Record<ServerName, (options?: StartOptions) => Promise<S3Server>> = {
  versitygw: startVersitygw,
  moto: startMoto,
};

/**
 * A suite that needs a server, which `server()` gives once the tests run. Where its program is not installed
 * the suite is skipped, and named in the file UPLOADER_TEST_SKIPPED for the last lines of scripts/test.sh;
 * with CI=true it fails.
 */
export function suiteFor(name: ServerName, title: string, define: (server: () => S3Server) => void): void {
  const missing = whyMissing(name);
  const fullTitle = `${title} on ${name}`;
  if (missing !== null && process.env.CI === "true") {
    it(`${fullTitle}: runs`, () => {
      throw new Error(`${missing}. Run scripts/setup-test-tools.sh.`);
    });
    return;
  }
  if (missing !== null && process.env.UPLOADER_TEST_SKIPPED)
    appendFileSync(process.env.UPLOADER_TEST_SKIPPED, `${fullTitle}: ${missing}\n`);
  describe.skipIf(missing !== null)(fullTitle, () => {
    let running: S3Server | undefined;
    beforeAll(async () => {
      running = await START[name]();
    });
    afterAll(() => running?.stop());
    define(() => {
      if (!running) throw new Error("the server is there only while tests run");
      return running;
    });
  });
}

/** Why a server cannot be started on this machine, or null. */
function whyMissing(name: ServerName): string | null {
  try {
    accessSync(PROGRAMS[name], constants.X_OK);
    return null;
  } catch {
    // Written by scripts/setup-test-tools.sh when it could not install it.
    const reason = join(CACHE, `${name}.missing`);
    try {
      return readFileSync(reason, "utf8").trim();
    } catch {
      return `${PROGRAMS[name]} is not installed`;
    }
  }
}

async function start(
  name: ServerName,
  options: StartOptions,
  parameters: (port: number, folder: string) => string[],
): Promise<S3Server> {
  const folder = options.folder ?? mkdtempSync(join(tmpdir(), `${name}-`));
  mkdirSync(folder, { recursive: true });
  // Between finding a port free and listening on it another process may take it; then the server ends at once.
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const command = [PROGRAMS[name], ...parameters(port, folder)];
    const guarded = await spawnGuarded(
      options.yields ? ["nice", "-n", "19", ...command] : command,
      options.folder ? null : folder,
    );
    const endpoint = `http://127.0.0.1:${port}`;
    if (await answers(endpoint, guarded.guard)) return describeServer(endpoint, folder, options, guarded);
    await guarded.end();
    if (attempt === 5) throw new Error(`${PROGRAMS[name]} ended at once:\n${guarded.output()}`);
  }
}

function describeServer(endpoint: string, folder: string, options: StartOptions, guarded: Guarded): S3Server {
  const client = new S3Client({
    region: REGION,
    endpoint,
    forcePathStyle: true,
    credentials: { accessKeyId: ACCESS_KEY_ID, secretAccessKey: SECRET_ACCESS_KEY },
  });
  return {
    endpoint,
    region: REGION,
    accessKeyId: ACCESS_KEY_ID,
    secretAccessKey: SECRET_ACCESS_KEY,
    environment: {
      AWS_ENDPOINT_URL_S3: endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: ACCESS_KEY_ID,
      AWS_SECRET_ACCESS_KEY: SECRET_ACCESS_KEY,
    },
    client,
    folder,
    pid: guarded.pid,
    async createBuckets(names) {
      for (const Bucket of names) await client.send(new CreateBucketCommand({ Bucket }));
    },
    async stop() {
      client.destroy();
      await guarded.end();
      if (!options.folder) rmSync(folder, { recursive: true, force: true });
    },
  };
}

interface Guarded {
  readonly guard: ChildProcess;
  readonly pid: number;
  output(): string;
  end(): Promise<void>;
}

/**
 * The server's parent is a shell that kills it, and removes its folder, when its own standard input closes:
 * the operating system closes it when the test process dies, however it dies.
 */
const GUARD = `
exec 3<&0
folder=$1; shift
"$@" </dev/null 3<&- &
server=$!
echo "pid $server"
# Nobody may be there to read what this shell says of the server's death.
exec >/dev/null 2>&1
{ cat <&3; kill -KILL "$server"; } &
watcher=$!
wait "$server"
kill "$watcher"
[ -z "$folder" ] || rm -rf -- "$folder"
`;

async function spawnGuarded(command: readonly string[], folder: string | null): Promise<Guarded> {
  const guard = spawn("bash", ["-c", GUARD, "guard", folder ?? "", ...command], {
    stdio: ["pipe", "pipe", "pipe"],
    env: {
      ...process.env,
      ROOT_ACCESS_KEY: ACCESS_KEY_ID,
      ROOT_SECRET_KEY: SECRET_ACCESS_KEY,
      // So many calls moto lets through before it asks IAM; without a bound it could not be told to ask (aws-account.ts).
      INITIAL_NO_AUTH_ACTION_COUNT: "1000000",
    },
  });
  const closed = once(guard, "close");
  let output = "";
  const pid = await new Promise<number>((resolve, reject) => {
    guard.once("error", reject);
    guard.once("exit", () => reject(new Error(`the guard of ${command[0]} ended at once:\n${output}`)));
    for (const stream of [guard.stdout, guard.stderr])
      stream.on("data", (data) => {
        output = (output + data).slice(-10_000);
        const line = /^pid (\d+)$/m.exec(output);
        if (line) resolve(Number(line[1]));
      });
  });
  return {
    guard,
    pid,
    output: () => output,
    async end() {
      guard.stdin.end();
      await closed;
    },
  };
}

/** Waits until the server speaks HTTP; false if it ends instead. */
async function answers(endpoint: string, guard: ChildProcess): Promise<boolean> {
  while (guard.exitCode === null) {
    const answered = await fetch(endpoint).then(
      (response) => response.arrayBuffer().then(() => true),
      () => false,
    );
    if (answered) return true;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const { port } = probe.address() as { port: number };
  probe.close();
  await once(probe, "close");
  return port;
}
