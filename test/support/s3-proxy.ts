import { once } from "node:events";
import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import type { Socket } from "node:net";

/** Of the proxy itself: an error of S3, or any headers and body. */
export type Answer =
  | { readonly status: number; readonly code: string }
  | { readonly status: number; readonly headers: Record<string, string>; readonly body: string };

/** What becomes of one request; without a word it is passed on, and its answer passed back. */
export type Interference =
  /** It is answered, after that where it is given, and not passed on. */
  | { readonly answer: Answer; readonly after?: Promise<unknown> }
  | { readonly passOnBody: (body: Buffer) => Buffer }
  /** The request is held until then. */
  | { readonly passOnAfter: Promise<unknown> }
  /** It is taken in at this pace, then passed on. */
  | { readonly bytesPerSecond: number }
  /**
   * The connection is cut: before the request is passed on, while its body comes in, or after the server has done
   * what it asked, without an answer or in the middle of it.
   */
  | { readonly cut: "before" | "in-body" | "after" | "in-answer" };

export interface S3Proxy {
  readonly endpoint: string;
  /** `METHOD /path?query` of each request, in their order. */
  readonly requests: string[];
  stop(): Promise<void>;
}

/** An HTTP proxy before an S3 server that interferes with the requests that a test names. */
export async function startS3Proxy(
  upstream: string,
  interfere: (line: string, request: IncomingMessage) => Interference | undefined,
): Promise<S3Proxy> {
  const requests: string[] = [];
  const server = createServer((incoming, outgoing) => {
    const line = `${incoming.method} ${incoming.url}`;
    requests.push(line);
    // The client went away, or the server did: then so does the connection.
    handle(interfere(line, incoming), incoming, outgoing).catch(() => incoming.socket.destroy());
  });

  async function handle(
    interference: Interference | undefined,
    incoming: IncomingMessage,
    outgoing: ServerResponse,
  ): Promise<unknown> {
    const cut = interference && "cut" in interference ? interference.cut : null;
    const pace = interference && "bytesPerSecond" in interference ? interference.bytesPerSecond : null;
    const chunks: Buffer[] = [];
    for await (const chunk of incoming) {
      if (cut === "in-body") return incoming.socket.destroy();
      chunks.push(chunk);
      if (pace !== null) await new Promise((resolve) => setTimeout(resolve, (chunk.length / pace) * 1000));
    }
    const body = Buffer.concat(chunks);
    if (interference && "answer" in interference) {
      await interference.after;
      return answer(outgoing, incoming, interference.answer);
    }
    // A request without a body has no middle.
    if (cut === "before" || cut === "in-body") return incoming.socket.destroy();
    if (interference && "passOnAfter" in interference) await interference.passOnAfter;
    const changed = interference && "passOnBody" in interference ? interference.passOnBody(body) : body;
    const response = await passOn(upstream, incoming, changed);
    if (cut === "in-answer") return cutAnswer(incoming.socket, response);
    if (cut === "after") return incoming.socket.destroy();
    outgoing.writeHead(response.status, response.headers);
    return outgoing.end(response.body);
  }

  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

/** Half of the body, or of the head where there is no body. */
function cutAnswer(socket: Socket, { status, headers, body }: Awaited<ReturnType<typeof passOn>>): void {
  const fields = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const head = `HTTP/1.1 ${status} As It Is\r\n${fields.join("")}\r\n`;
  const part =
    body.length > 1
      ? Buffer.concat([Buffer.from(head), body.subarray(0, Math.floor(body.length / 2))])
      : Buffer.from(head.slice(0, Math.floor(head.length / 2)));
  socket.end(part);
}

function answer(outgoing: ServerResponse, { method }: IncomingMessage, given: Answer): void {
  const xml = { "content-type": "application/xml" };
  const { headers, body } =
    "code" in given
      ? { headers: xml, body: `<Error><Code>${given.code}</Code><Message>told by the test</Message></Error>` }
      : given;
  outgoing.writeHead(given.status, headers);
  outgoing.end(method === "HEAD" ? undefined : body);
}

async function passOn(upstream: string, incoming: IncomingMessage, body: Buffer) {
  const { expect, connection, ...headers } = incoming.headers;
  // The signature covers the header Host, so it stays as the client sent it.
  const outgoing = request(new URL(incoming.url ?? "/", upstream), { method: incoming.method, headers });
  // A server that answers before it has read the whole body closes the connection behind its answer.
  outgoing.on("error", () => {});
  outgoing.end(body);
  const [response] = (await once(outgoing, "response")) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk);
  return { status: response.statusCode ?? 502, headers: response.headers, body: Buffer.concat(chunks) };
}
