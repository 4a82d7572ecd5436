import { Counter, collectDefaultMetrics, Gauge, Registry } from "prom-client";
import type { Clock } from "../core/clock.ts";
import { PIPELINE_TYPES } from "../core/types.ts";
import { type Monitor, noMonitor, type Shipping } from "./monitor.ts";

export interface Metrics extends Monitor {
  readonly contentType: string;
  /** All metrics, in Prometheus' text format. */
  text(): Promise<string>;
}

/** At prom-client's 10 ms, measuring the event loop's delay takes more of the CPU than an idle uploader does. */
const EVENT_LOOP_SAMPLE_MS = 100;

/** Counts what the uploader does, and asks for what waits when it is asked itself; docs/METRICS.md lists all. */
export function createMetrics(clock: Clock): Metrics {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: EVENT_LOOP_SAMPLE_MS });
  const count = createCounters(registry);
  const last = createTimes(registry);
  let shipping: Shipping | null = null;
  createReadings(registry, clock, () => shipping);

  return {
    ...noMonitor,
    contentType: registry.contentType,
    text: () => registry.metrics(),
    started(started) {
      shipping = started;
    },
    ended() {
      shipping = null;
    },
    extracted({ table, pipelineType, rows }) {
      count.extractedRows.inc({ table, pipeline_type: pipelineType }, rows);
    },
    cycleFinished(failed) {
      last.cycle.set(clock.now() / 1000);
      for (const table of failed) count.extractionFailures.inc({ table });
    },
    delivered({ pipelineType, rows, bytes }) {
      const labels = { pipeline_type: pipelineType };
      count.deliveredObjects.inc(labels);
      count.deliveredRows.inc(labels, rows);
      count.deliveredBytes.inc(labels, bytes);
      last.delivery.set(clock.now() / 1000);
    },
    deliveryFailed({ pipelineType }, { code }) {
      count.deliveryFailures.inc({ pipeline_type: pipelineType, code });
    },
  };
}

function createCounters(registry: Registry) {
  const counter = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name: `uploader_${name}`, help, labelNames, registers: [registry] });
  const counters = {
    extractedRows: counter("extracted_rows_total", "Source rows extracted into the outbox", [
      "table",
      "pipeline_type",
    ]),
    extractionFailures: counter(
      "extraction_failures_total",
      "Cycles in which a table could not be extracted",
      ["table"],
    ),
    deliveredObjects: counter("delivered_objects_total", "Objects that the sink has confirmed", [
      "pipeline_type",
    ]),
    deliveredRows: counter("delivered_rows_total", "Rows in these objects", ["pipeline_type"]),
    deliveredBytes: counter("delivered_bytes_total", "Bytes of these objects", ["pipeline_type"]),
    deliveryFailures: counter("delivery_failures_total", "Tries to deliver an object that failed", [
      "pipeline_type",
      "code",
    ]),
  };
  // A rate can only be taken of a series that was there before its first increase.
  for (const pipeline_type of PIPELINE_TYPES)
    for (const of of [counters.deliveredObjects, counters.deliveredRows, counters.deliveredBytes])
      of.inc({ pipeline_type }, 0);
  return counters;
}

/** Zero where it has not happened yet. */
function createTimes(registry: Registry) {
  const time = (name: string, help: string) =>
    new Gauge({ name: `uploader_last_${name}_timestamp_seconds`, help, registers: [registry] });
  return {
    cycle: time("cycle", "When a cycle last ended, in seconds since the epoch; 0: none has"),
    delivery: time(
      "delivery",
      "When the sink last confirmed an object, in seconds since the epoch; 0: none yet",
    ),
  };
}

/** What is read at each scrape; without a sample while nothing is shipped, or where it cannot be read. */
function createReadings(registry: Registry, clock: Clock, shipping: () => Shipping | null): void {
  function reading<Label extends string>(
    name: string,
    help: string,
    labelNames: readonly Label[],
    read: (gauge: Gauge<Label>, shipping: Shipping) => void,
  ): void {
    new Gauge({
      name: `uploader_${name}`,
      help,
      labelNames,
      registers: [registry],
      collect() {
        this.reset();
        // That leaves one without labels at 0, which nobody has read.
        if (labelNames.length === 0) this.remove();
        try {
          const current = shipping();
          if (current) read(this, current);
        } catch {
          // The next scrape asks again; the cycle says in the log what is the matter.
        }
      },
    });
  }

  reading("outbox_objects", "Objects that wait in the outbox", [], (gauge, { outbox }) =>
    gauge.set(outbox().objects),
  );
  reading("outbox_bytes", "Bytes that wait in the outbox", [], (gauge, { outbox }) =>
    gauge.set(outbox().bytes),
  );
  reading(
    "outbox_oldest_age_seconds",
    "How long ago the oldest object that waits was extracted; 0: none waits",
    [],
    (gauge, { outbox }) => gauge.set(Math.max(0, clock.now() - (outbox().oldestAt ?? clock.now())) / 1000),
  );
  reading(
    "source_lag_rows",
    "About how many rows of a table are not extracted yet",
    ["table"],
    (gauge, of) => {
      for (const [table, rows] of of.backlog()) gauge.set({ table }, rows);
    },
  );
  reading(
    "source_stopped",
    "1: nothing of the table is shipped until an operator acts",
    ["table"],
    (gauge, of) => {
      for (const [table, isStopped] of of.stopped()) gauge.set({ table }, isStopped ? 1 : 0);
    },
  );
  reading(
    "pipeline_info",
    "Always 1; its labels are the node and the pipeline type in effect",
    ["node", "pipeline_type"],
    (gauge, of) => gauge.set({ node: of.node, pipeline_type: of.pipelineType() }, 1),
  );
}
