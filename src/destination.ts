import type { SinkSettings } from "./config/settings.ts";
import { UploaderError } from "./core/errors.ts";
import type { PipelineType } from "./core/types.ts";
import { countWaiting } from "./outbox/objects.ts";
import {
  changeDestination,
  type Destination,
  openSource,
  readSources,
  type SourceState,
} from "./outbox/sources.ts";
import type { State } from "./outbox/state.ts";
import type { Sink } from "./sink/sink.ts";

/** The sink that the settings ask for; the AWS SDK is loaded only where it is used. */
export async function createSink(settings: SinkSettings): Promise<Sink> {
  if (settings.kind === "s3") return (await import("./sink/s3.ts")).createS3Sink(settings);
  return (await import("./sink/directory.ts")).createDirectorySink(settings);
}

/** Where the settings send a source, in the form that the state keeps. */
export function destinationOf(settings: SinkSettings): Destination {
  const place =
    settings.kind === "s3" ? `s3 ${settings.endpoint ?? settings.region}` : `directory ${settings.directory}`;
  return { place, buckets: settings.buckets };
}

/**
 * The state of a source, made where it is new.
 *
 * @throws {UploaderError} DESTINATION_CHANGED where its rows went elsewhere so far and that was not accepted
 */
export function openSourceFor(
  state: State,
  node: string,
  table: string,
  options: { readonly destination: Destination; readonly acceptNewDestination: boolean },
): SourceState {
  const { destination, acceptNewDestination } = options;
  const source = openSource(state, node, table, destination);
  const changes = describeChanges(source.destination, destination);
  if (changes.length === 0) return source;
  if (!acceptNewDestination)
    throw new UploaderError({
      code: "DESTINATION_CHANGED",
      message: `The rows of ${table} went elsewhere until now: ${changes.join("; ")}.`,
      hint: "Correct the configuration, or run once with --accept-new-destination: what is not delivered yet, and all later rows, then go to the new place, and what was delivered stays where it is.",
    });
  changeDestination(state, source, destination);
  return openSource(state, node, table, destination);
}

/**
 * Makes sure that what waits of a source is only sent to where the source belongs: it may be of a node or a table that
 * is no longer configured, and whose destination nobody has been asked about.
 *
 * @param place as in `Destination`
 * @throws {UploaderError} DESTINATION_CHANGED
 */
export function assertGoesTo(place: string, { node, table, destination }: SourceState): void {
  if (place === destination.place) return;
  throw new UploaderError({
    code: "DESTINATION_CHANGED",
    message: `What waits of table ${table} of node ${node} belongs to ${destination.place}, and the configuration names ${place}.`,
    hint: `Run once with the configuration that this node and table had, or with --accept-new-destination: all that waits then goes to the new place.`,
  });
}

/** Takes along what waits of nodes and tables that are no longer configured, once another place was accepted. */
export function takeAlong(state: State, destination: Destination): void {
  for (const source of readSources(state.db)) {
    if (source.destination.place === destination.place) continue;
    if (countWaiting(state.db, source.id).objects > 0) changeDestination(state, source, destination);
  }
}

function describeChanges(before: Destination, after: Destination): string[] {
  const changes: string[] = [];
  if (before.place !== after.place) changes.push(`to ${before.place}, now to ${after.place}`);
  for (const type of Object.keys(after.buckets) as PipelineType[]) {
    if (before.buckets[type] !== after.buckets[type])
      changes.push(`${type} to ${before.buckets[type]}, now to ${after.buckets[type]}`);
  }
  return changes;
}
