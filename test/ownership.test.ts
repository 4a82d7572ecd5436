import { join } from "node:path";
import { expect, test } from "vitest";
import { systemClock } from "../src/core/clock.ts";
import { beginGeneration } from "../src/outbox/extractions.ts";
import { openSource } from "../src/outbox/sources.ts";
import { createStateFolders, openState } from "../src/outbox/state.ts";
import { createOwnership } from "../src/ownership.ts";
import { createDirectorySink } from "../src/sink/directory.ts";
import type { Sink } from "../src/sink/sink.ts";
import { temporaryFolder } from "./support/temporary-folder.ts";

const BUCKETS = { raw: "raw", schematized: "schematized", aggregated: "aggregated", emergency: "emergency" };

test("two lanes that ask at once own the source together, at the first claim and in a new generation", async () => {
  const folder = temporaryFolder();
  const state = openState(createStateFolders(join(folder, "state")), systemClock.now());
  const source = openSource(state, "edge", "readings", { place: "directory lake", buckets: BUCKETS });
  const sink = answeringLate(createDirectorySink({ directory: join(folder, "lake") }));
  const ownership = createOwnership({ state, sink, place: source.destination.place, clock: systemClock });
  const both = () => Promise.all([ownership.ensure(source), ownership.ensure(source)]);

  await expect(both()).resolves.toBeDefined();
  beginGeneration(state, source, null, null);
  await expect(both()).resolves.toBeDefined();
  state.close();
});

test("a marker of a process that was killed, and that arrives late, is not another's", async () => {
  const folder = temporaryFolder();
  const state = openState(createStateFolders(join(folder, "state")), systemClock.now());
  const source = openSource(state, "edge", "readings", { place: "directory lake", buckets: BUCKETS });
  const sink = createDirectorySink({ directory: join(folder, "lake") });
  const owner = (writeMarker: Sink["writeMarker"]) =>
    createOwnership({ state, sink: { ...sink, writeMarker }, place: "directory lake", clock: systemClock });
  let arrive = async () => {};
  const killed = new Error("killed");
  const first = owner(async (...given) => {
    arrive = async () => void (await sink.writeMarker(...given));
    throw killed;
  });
  await expect(first.ensure(source)).rejects.toBe(killed);

  const second = owner(async (...given) => {
    await arrive();
    return sink.writeMarker(...given);
  });
  await expect(second.ensure(source)).rejects.toMatchObject({ code: "SINK_UNAVAILABLE" });
  arrive = async () => {};
  await expect(second.ensure(source)).resolves.toBeUndefined();
  state.close();
});

/** As a network does: each answer comes in a later turn of the event loop. */
function answeringLate(sink: Sink): Sink {
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  return {
    ...sink,
    async readMarker(bucket, key) {
      const marker = await sink.readMarker(bucket, key);
      await turn();
      return marker;
    },
    async writeMarker(...given) {
      await turn();
      return sink.writeMarker(...given);
    },
  };
}
