import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { UploaderError } from "../core/errors.ts";
import type { Address } from "../core/types.ts";
import type { Judgement } from "./health.ts";

export interface StatusServerOptions {
  readonly address: Address;
  readonly judge: () => Judgement;
  readonly metrics: { readonly contentType: string; text(): Promise<string> };
}

export interface StatusServer {
  close(): Promise<void>;
}

/** A request is a line; whoever takes longer to send it has no business here. */
const REQUEST_TIMEOUT_MS = 5_000;
const KEEP_ALIVE_TIMEOUT_MS = 5_000;

/**
 * Answers GET and HEAD of /healthz, with 200 or 503 and a JSON document that says why, and of /metrics, in Prometheus'
 * text format.
 *
 * @throws {UploaderError} CONFIG_INVALID where the address cannot be listened on
 */
export async function serveStatus({ address, judge, metrics }: StatusServerOptions): Promise<StatusServer> {
  const limits = {
    requestTimeout: REQUEST_TIMEOUT_MS,
    headersTimeout: REQUEST_TIMEOUT_MS,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    connectionsCheckingInterval: REQUEST_TIMEOUT_MS,
  };
  const server = createServer(limits, (request, response) => {
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
      return;
    }
    const [path] = (request.url ?? "").split("?", 1);
    if (path === "/healthz") answerHealth(response, judge());
    else if (path === "/metrics") answerMetrics(response, metrics);
    else response.writeHead(404).end();
  });
  server.listen(address.port, address.host);
  try {
    await once(server, "listening");
  } catch (cause) {
    throw new UploaderError({
      code: "CONFIG_INVALID",
      message: `status_address: cannot listen on ${address.host}:${address.port} (${(cause as NodeJS.ErrnoException).code}).`,
      hint: "Name another address in `status_address` or STATUS_ADDRESS, or end the program that has it.",
      cause,
    });
  }
  server.unref();
  return {
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

function answerHealth(response: ServerResponse, judgement: Judgement): void {
  response.writeHead(judgement.status === "ok" ? 200 : 503, { "content-type": "application/json" });
  response.end(`${JSON.stringify(judgement)}\n`);
}

function answerMetrics(
  response: ServerResponse,
  { contentType, text }: StatusServerOptions["metrics"],
): void {
  text().then(
    (body) => response.writeHead(200, { "content-type": contentType }).end(body),
    () => response.writeHead(500).end(),
  );
}
