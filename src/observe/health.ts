import { once } from "node:events";
import { createServer } from "node:http";
import type { Clock } from "../core/clock.ts";
import { UploaderError } from "../core/errors.ts";
import type { Address } from "../core/types.ts";

export interface Health {
  /** The uploader is at work: a cycle has ended, or an extraction within one. */
  alive(): void;
  close(): Promise<void>;
}

export interface HealthOptions {
  readonly address: Address;
  readonly intervalSeconds: number;
  readonly clock: Clock;
}

/** A request is a line; whoever takes longer to send it has no business here. */
const REQUEST_TIMEOUT_MS = 5_000;

/**
 * How long the uploader may go without a sign of life: three cycles, and never less than a minute, which a large object
 * can take on a small machine.
 */
export function mostSilentMs(intervalSeconds: number): number {
  return Math.max(60_000, 3 * intervalSeconds * 1000);
}

/**
 * Answers GET /healthz: 200 while the uploader is at work, 503 when it has given no sign of life for too long, each with
 * a JSON document that says since when. A network that is gone is no illness: rows are extracted all the same.
 *
 * @throws {UploaderError} CONFIG_INVALID where the address cannot be listened on
 */
export async function serveHealth({ address, intervalSeconds, clock }: HealthOptions): Promise<Health> {
  let aliveAt = clock.now();
  const server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (!isRead || request.url !== "/healthz") return void response.writeHead(isRead ? 404 : 405).end();
    const isWell = clock.now() - aliveAt <= mostSilentMs(intervalSeconds);
    response.writeHead(isWell ? 200 : 503, { "content-type": "application/json" });
    response.end(
      `${JSON.stringify({ status: isWell ? "ok" : "stalled", aliveAt: new Date(aliveAt).toISOString() })}\n`,
    );
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
    alive() {
      aliveAt = clock.now();
    },
    async close() {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
