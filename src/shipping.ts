import type { Delivery } from "./deliver.ts";
import type { Parts } from "./loop.ts";
import type { Shipping } from "./observe/monitor.ts";
import { countWaiting, oldestWaitingAt } from "./outbox/objects.ts";
import { readSource, type SourceState } from "./outbox/sources.ts";

/**
 * What can be asked of the uploader while it ships.
 *
 * @param claimed the tables that may be shipped
 */
export function createShipping(
  { state, revisions, extractors, estimateBacklog }: Parts,
  claimed: ReadonlySet<string>,
  delivery: Delivery,
  node: string,
): Shipping {
  const isStopped = (table: string) =>
    !claimed.has(table) || delivery.failure(readSource(state.db, node, table) as SourceState) !== undefined;
  return {
    node,
    pipelineType: () => revisions.latest().type,
    outbox() {
      const { objects, bytes } = countWaiting(state.db);
      return { objects, bytes, oldestAt: oldestWaitingAt(state.db) };
    },
    backlog: estimateBacklog,
    stopped: () => new Map(extractors.map(({ table }) => [table, isStopped(table)])),
  };
}
