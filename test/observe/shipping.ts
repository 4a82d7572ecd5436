import type { OutboxObject } from "../../src/core/types.ts";
import type { Shipping } from "../../src/observe/monitor.ts";

/** An uploader that ships two tables, of which nothing waits, unless the test says otherwise. */
export function shippingOf(given: Partial<Shipping> = {}): Shipping {
  return {
    node: "press-7",
    pipelineType: () => "raw",
    outbox: () => ({ objects: 0, bytes: 0, oldestAt: null }),
    backlog: () => new Map(),
    stopped: () =>
      new Map([
        ["readings", false],
        ["events", false],
      ]),
    ...given,
  };
}

export function objectOf(given: Partial<OutboxObject> = {}): OutboxObject {
  return {
    id: 1,
    table: "readings",
    generation: 1,
    sequence: 1,
    route: { type: "raw", rejected: false },
    pipelineType: "raw",
    revisionId: 1,
    bucket: "local-databricks-raw-local",
    key: "raw/readings/object.parquet",
    path: "/outbox/object.parquet",
    rows: 10,
    bytes: 1_000,
    sha256: "0".repeat(64),
    firstRowid: 1n,
    lastRowid: 10n,
    startedAt: "2026-01-01T00:00:00.000Z",
    extractedAt: "2026-01-01T00:00:00.000Z",
    ...given,
  };
}
