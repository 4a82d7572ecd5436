/** EC2's instance metadata service, version 2: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html */
export interface Metadata {
  /**
   * The text at a path below `/latest/meta-data/`; null where there is none (404).
   *
   * @throws where the service does not answer within two seconds, or answers anything else
   */
  read(path: string): Promise<string | null>;
}

export interface MetadataOptions {
  readonly endpoint: string;
  /** Ends the requests that are on their way. */
  readonly signal: AbortSignal;
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The service is on the machine's own host; it answers within milliseconds or not at all. */
const TIMEOUT_MS = 2_000;
/** The longest that the service gives a token for. */
const TOKEN_SECONDS = 21_600;

const REFUSED = 401;
const NOT_FOUND = 404;

/** Where the AWS SDKs look for the service too; null: it is not to be asked. */
export function metadataEndpoint(env: Environment): string | null {
  if (env.AWS_EC2_METADATA_DISABLED?.trim().toLowerCase() === "true") return null;
  const given = env.AWS_EC2_METADATA_SERVICE_ENDPOINT?.trim();
  if (given) return given;
  const isIpv6 = env.AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE?.trim().toLowerCase() === "ipv6";
  return isIpv6 ? "http://[fd00:ec2::254]" : "http://169.254.169.254";
}

export function createMetadata({ endpoint, signal }: MetadataOptions): Metadata {
  let token: string | null = null;

  async function ask(
    method: "GET" | "PUT",
    path: string,
    headers: Record<string, string>,
  ): Promise<Response> {
    return fetch(new URL(path, endpoint), {
      method,
      headers,
      redirect: "error",
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
  }

  async function newToken(): Promise<string> {
    const ttl = { "x-aws-ec2-metadata-token-ttl-seconds": String(TOKEN_SECONDS) };
    return textOf(await ask("PUT", "/latest/api/token", ttl));
  }

  async function get(path: string): Promise<Response> {
    token ??= await newToken();
    return ask("GET", `/latest/meta-data/${path}`, { "x-aws-ec2-metadata-token": token });
  }

  return {
    async read(path) {
      let response = await get(path);
      if (response.status === REFUSED) {
        // The token is too old, or of the machine before a hibernation.
        await response.body?.cancel();
        token = null;
        response = await get(path);
      }
      if (response.status !== NOT_FOUND) return textOf(response);
      await response.body?.cancel();
      return null;
    },
  };
}

async function textOf(response: Response): Promise<string> {
  const text = await response.text();
  if (!response.ok) throw new Error(`it answered ${response.status}`);
  return text;
}
