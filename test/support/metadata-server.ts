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

/**
 * @param isEager whether the first who asks for a notice has the answer when there is one, and not at the next poll; who
 *   does not wait so long asks again
 */
export async function startMetadataServer({ isEager = false } = {}): Promise<MetadataServer> {
  const documents = new Map<string, string>();
  const tokens = new Set<string>();
  const answers: string[] = [];
  let isBroken = false;
  let given = 0;
  let release: (() => void) | null = null;

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
    const answer = () => {
      const [status, text] = answerTo(method, url, request.headers);
      answers.push(`${method} ${url} ${status}`);
      response.writeHead(status).end(text);
    };
    if (!isEager || url !== ACTION || release !== null || documents.size > 0) return answer();
    release = answer;
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  });
  const { port } = server.address() as { port: number };
  const notify = (path: string, document: string) => {
    const isFirst = documents.size === 0;
    documents.set(path, document);
    if (isFirst) release?.();
  };
  return {
    endpoint: `http://127.0.0.1:${port}`,
    answers,
    recommendRebalance: (at) => notify(REBALANCE, JSON.stringify({ noticeTime: seconds(at) })),
    announce: (action, at) => notify(ACTION, JSON.stringify({ action, time: seconds(at) })),
    announceText: (text) => notify(ACTION, text),
    forgetTokens: () => tokens.clear(),
    setBroken(broken) {
      isBroken = broken;
    },
  };
}
