import { execFile } from "node:child_process";
import { join } from "node:path";
import {
  AttachUserPolicyCommand,
  CreateAccessKeyCommand,
  CreatePolicyCommand,
  CreateUserCommand,
  IAMClient,
} from "@aws-sdk/client-iam";
import { S3Client } from "@aws-sdk/client-s3";
import { bundledScript } from "./bundled-script.ts";
import type { S3Server } from "./s3-servers.ts";

export interface ScriptOutcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** moto as an account of AWS, with the scripts that set one up. */
export interface AwsAccount {
  /** Runs `scripts/{name}.sh` against it, as the administrator or somebody else. */
  run(name: string, parameters: readonly string[], as?: Credentials): Promise<ScriptOutcome>;
  readonly iam: IAMClient;
  s3(as: Credentials): S3Client;
  /** A user with an access key; `allowed` are the actions that it may take on everything. */
  createUser(name: string, allowed?: readonly string[]): Promise<Credentials>;
  /** IAM is asked while `work` is done, and only then. */
  enforcingIam<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Forgets everything. */
  reset(): Promise<void>;
}

const ROOT = join(import.meta.dirname, "../..");

export function awsAccount(server: S3Server): AwsAccount {
  const { endpoint, region } = server;
  const root = { accessKeyId: server.accessKeyId, secretAccessKey: server.secretAccessKey };
  const iam = new IAMClient({ region, endpoint, credentials: root });
  const post = async (path: string, body = ""): Promise<void> => {
    const answer = await fetch(`${endpoint}/moto-api/${path}`, {
      method: "POST",
      headers: { "content-type": "text/plain" },
      body,
    });
    if (!answer.ok) throw new Error(`moto answered ${answer.status} to ${path}`);
  };
  return {
    iam,
    run: (name, parameters, as = root) =>
      runScript(name, [...parameters, `--endpoint-url=${endpoint}`], awsEnvironment(as)),
    s3: (credentials) => new S3Client({ region, endpoint, forcePathStyle: true, credentials }),
    async createUser(UserName, allowed = []) {
      await iam.send(new CreateUserCommand({ UserName }));
      if (allowed.length > 0) {
        const { Policy } = await iam.send(
          new CreatePolicyCommand({ PolicyName: `${UserName}-policy`, PolicyDocument: allow(allowed) }),
        );
        await iam.send(new AttachUserPolicyCommand({ UserName, PolicyArn: Policy?.Arn }));
      }
      const { AccessKey } = await iam.send(new CreateAccessKeyCommand({ UserName }));
      return {
        accessKeyId: AccessKey?.AccessKeyId ?? "",
        secretAccessKey: AccessKey?.SecretAccessKey ?? "",
      };
    },
    async enforcingIam(work) {
      await post("reset-auth", "0");
      try {
        return await work();
      } finally {
        await post("reset-auth", "1000000");
      }
    },
    reset: () => post("reset"),
  };
}

/** Scripts that this test file has run as they are shipped. */
const asShipped = new Set<string>();

/**
 * Runs a script with nothing in its environment but what is given. The first run of each is that of the shell script;
 * the others are of the program that scripts/aws/run.sh starts, bundled.
 */
export async function runScript(
  name: string,
  parameters: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<ScriptOutcome> {
  let command = [join(ROOT, `scripts/${name}.sh`)];
  if (asShipped.has(name)) {
    const program = name === "spot/install" ? "scripts/spot/fleet-program.ts" : `scripts/aws/${name}.ts`;
    command = [process.execPath, await bundledScript(program)];
  }
  asShipped.add(name);
  const [file = "", ...before] = command;
  return new Promise((resolve, reject) => {
    execFile(
      file,
      [...before, ...parameters],
      { cwd: ROOT, env: { PATH: process.env.PATH ?? "", HOME: "/nonexistent", ...environment } },
      (error, stdout, stderr) => {
        const code = error?.code ?? 0;
        if (typeof code === "number") resolve({ code, stdout, stderr });
        else reject(error);
      },
    );
  });
}

/** The environment of somebody with these keys, and no other credentials. */
export function awsEnvironment({ accessKeyId, secretAccessKey }: Credentials): Record<string, string> {
  return {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_EC2_METADATA_DISABLED: "true",
  };
}

function allow(actions: readonly string[]): string {
  return JSON.stringify({
    Version: "2012-10-17",
    Statement: [{ Effect: "Allow", Action: actions, Resource: "*" }],
  });
}
