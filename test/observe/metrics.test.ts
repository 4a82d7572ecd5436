import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { UploaderError } from "../../src/core/errors.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { samplesIn } from "../support/metric-samples.ts";
import { objectOf, shippingOf } from "./shipping.ts";

const START = Date.UTC(2026, 0, 1);

function measured() {
  const clock = createManualClock(START);
  const metrics = createMetrics(clock);
  const ours = async () =>
    Object.fromEntries([...samplesIn(await metrics.text())].filter(([name]) => name.startsWith("uploader_")));
  return { clock, metrics, ours };
}

test("before shipping begins counters are there with zero, and what would have to be read is not", async () => {
  const { ours } = measured();
  const types = ["raw", "schematized", "aggregated", "emergency"];
  const counters = ["objects", "rows", "bytes"].flatMap((what) =>
    types.map((type) => [`uploader_delivered_${what}_total{pipeline_type="${type}"}`, 0]),
  );
  expect(await ours()).toEqual({
    ...Object.fromEntries(counters),
    uploader_last_cycle_timestamp_seconds: 0,
    uploader_last_delivery_timestamp_seconds: 0,
  });
});

test("what is extracted, delivered and fails is counted", async () => {
  const { clock, metrics, ours } = measured();
  metrics.extracted({ table: "readings", pipelineType: "raw", rows: 7 });
  metrics.extracted({ table: "readings", pipelineType: "raw", rows: 3 });
  metrics.cycleFinished(["events"]);
  clock.advance(2_500);
  metrics.delivered(objectOf({ rows: 10, bytes: 400 }));
  metrics.delivered(objectOf({ pipelineType: "emergency", rows: 1, bytes: 90 }));
  const error = new UploaderError({ code: "SINK_UNAVAILABLE", message: "It does not answer." });
  metrics.deliveryFailed(objectOf(), error);
  expect(await ours()).toMatchObject({
    'uploader_extracted_rows_total{table="readings",pipeline_type="raw"}': 10,
    'uploader_extraction_failures_total{table="events"}': 1,
    'uploader_delivered_objects_total{pipeline_type="raw"}': 1,
    'uploader_delivered_rows_total{pipeline_type="raw"}': 10,
    'uploader_delivered_bytes_total{pipeline_type="raw"}': 400,
    'uploader_delivered_bytes_total{pipeline_type="emergency"}': 90,
    'uploader_delivery_failures_total{pipeline_type="raw",code="SINK_UNAVAILABLE"}': 1,
    uploader_last_cycle_timestamp_seconds: START / 1000,
    uploader_last_delivery_timestamp_seconds: START / 1000 + 2.5,
  });
});

test("what waits is read at each scrape, and is gone when shipping has ended", async () => {
  const { clock, metrics, ours } = measured();
  let outbox = { objects: 2, bytes: 900, oldestAt: START as number | null };
  let lag = new Map([
    ["readings", 5],
    ["events", 1],
  ]);
  const stopped = () => new Map([["readings", true]]);
  metrics.started(shippingOf({ outbox: () => outbox, backlog: () => lag, stopped }));
  clock.advance(60_000);
  expect(await ours()).toMatchObject({
    uploader_outbox_objects: 2,
    uploader_outbox_bytes: 900,
    uploader_outbox_oldest_age_seconds: 60,
    'uploader_source_lag_rows{table="readings"}': 5,
    'uploader_source_lag_rows{table="events"}': 1,
    'uploader_source_stopped{table="readings"}': 1,
    'uploader_pipeline_info{node="press-7",pipeline_type="raw"}': 1,
  });
  outbox = { objects: 0, bytes: 0, oldestAt: null };
  lag = new Map([["readings", 0]]);
  const later = await ours();
  expect(later).toMatchObject({ uploader_outbox_objects: 0, uploader_outbox_oldest_age_seconds: 0 });
  expect(later).toMatchObject({ 'uploader_source_lag_rows{table="readings"}': 0 });
  expect(later).not.toHaveProperty('uploader_source_lag_rows{table="events"}');
  metrics.ended();
  const names = Object.keys(await ours()).join();
  expect(names).not.toMatch(/outbox|lag|stopped|info/);
});

test("what cannot be read at the moment is left out, and the rest is answered", async () => {
  const { metrics, ours } = measured();
  const outbox = () => {
    throw new Error("the database connection is not open");
  };
  metrics.started(shippingOf({ outbox, backlog: () => new Map([["readings", 3]]) }));
  const samples = await ours();
  expect(samples).not.toHaveProperty("uploader_outbox_objects");
  expect(samples).toMatchObject({ 'uploader_source_lag_rows{table="readings"}': 3 });
});

test("docs/METRICS.md lists each of the uploader's metrics with its type, and no other", async () => {
  const { metrics } = measured();
  metrics.started(shippingOf());
  const declared = [...(await metrics.text()).matchAll(/^# TYPE (uploader_\S+) (\S+)$/gm)];
  const text = readFileSync(new URL("../../docs/METRICS.md", import.meta.url), "utf8");
  const listed = [...text.matchAll(/^\| `(uploader_\w+)` \| (\w+) \|/gm)];
  const named = (found: readonly RegExpExecArray[]) =>
    found.map(([, name, type]) => `${name} ${type}`).sort();
  expect(named(listed)).toEqual(named(declared));
});

test("figures of the process are there too", async () => {
  const { metrics } = measured();
  const samples = samplesIn(await metrics.text());
  expect(samples.get("process_resident_memory_bytes")).toBeGreaterThan(0);
  expect(samples.has("process_cpu_seconds_total")).toBe(true);
});
