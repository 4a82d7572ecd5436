import { once } from "node:events";
import { createServer } from "node:http";
import { onTestFinished } from "vitest";

/** Stands for EC2's instance metadata service, version 2, and goes with the test that started it. */
export interface MetadataServer {
  /** What AWS_EC2_METADATA_SERVICE_ENDPOINT is set to. */
  readonly endpoint: string;
  /** `METHOD /path STATUS` of each request, in their order. */
  readonly answers: readonly string[];
  recommendRebalance(at: Date): void;
  announce(action: "terminate" | "stop" | "hibernate", at: Date): void;
  /** Answers with this text where there would be a notice. */
  announceText(text: string): void;
  /** Tokens given so far are of no use any more. */
  forgetTokens(): void;
  /** Every answer is a 500 from now on, or no longer. */
  setBroken(isBroken: boolean): void;
}

const TOKEN = "/latest/api/token";
const ACTION = "/latest/meta-data/spot/instance-action";
const REBALANCE = "/latest/meta-data/events/recommendations/rebalance";

/** In the form of the service's own: no fractions of a second. */
const seconds = (time: Date): string => time.toISOString().replace(/\.\d+Z$/, "Z");

export async function startMetadataServer(): Promise<MetadataServer> {
  const documents = new Map<string, string>();
  const tokens = new Set<string>();
  const answers: string[] = [];
  let isBroken = false;
  let given = 0;

  function answerTo(method: string, path: string, headers: NodeJS.Dict<string | string[]>): [number, string] {
    if (isBroken) return [500, "broken"];
    if (path === TOKEN) {
      if (method !== "PUT") return [405, ""];
      if (!/^\d+$/.test(String(headers["x-aws-ec2-metadata-token-ttl-seconds"]))) return [400, ""];
      const token = `token-${++given}`;
      tokens.add(token);
      return [200, token];
    }
    if (!tokens.has(String(headers["x-aws-ec2-metadata-token"]))) return [401, ""];
    const document = documents.get(path);
    return document === undefined ? [404, "<html>Not Found</html>"] : [200, document];
  }

  const server = createServer((request, response) => {
    const { method = "", url = "" } = request;
    const [status, text] = answerTo(method, url, request.headers);
    answers.push(`${method} ${url} ${status}`);
    response.writeHead(status).end(text);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as { port: number };
  return {
    endpoint: `http://127.0.0.1:${port}`,
    answers,
    recommendRebalance: (at) => void documents.set(REBALANCE, JSON.stringify({ noticeTime: seconds(at) })),
    announce: (action, at) => void documents.set(ACTION, JSON.stringify({ action, time: seconds(at) })),
    announceText: (text) => void documents.set(ACTION, text),
    forgetTokens: () => tokens.clear(),
    setBroken(broken) {
      isBroken = broken;
    },
  };
}
