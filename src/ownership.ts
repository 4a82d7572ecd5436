import { randomUUID } from "node:crypto";
import type { Clock } from "./core/clock.ts";
import { UploaderError } from "./core/errors.ts";
import { failpoint } from "./core/failpoints.ts";
import { ownerKey } from "./core/object-key.ts";
import { formatSpaces, parseSpaces, type RowidSpace } from "./core/rowid-spaces.ts";
import { assertGoesTo } from "./destination.ts";
import { intendEpoch, readSource, type SourceState } from "./outbox/sources.ts";
import type { State } from "./outbox/state.ts";
import type { Marker, Sink } from "./sink/sink.ts";

/**
 * Each source has a marker in the raw bucket that says which state ships it, and which process of it. A process
 * raises the marker's epoch before its first delivery, and looks at it and raises it again each minute while it
 * delivers, so that of two processes that work for one node, with copied, restored or fresh states, all but the
 * newest stop:
 *
 *   no marker ──── made with epoch 1 ──────────────► owned
 *   our id, an epoch that we intended ── raised ───► owned ── at a look: another process's ─► lost
 *   another id, or a newer epoch ──────────────────► lost
 *
 * The intent to raise is committed to the state first: a crash between the two leaves a marker whose epoch
 * is at most the intended one. A back-up of the state that is made while a process delivers has the epoch of that
 * minute; were it not raised again, such a state would seem to be the newest, and send again what was delivered
 * since.
 */
export interface Ownership {
  /**
   * Makes sure that this process owns the source with its present generation; cheap when it was just seen.
   *
   * @throws {UploaderError} OWNED_BY_ANOTHER, or DESTINATION_CHANGED where the source, and its marker, are in another
   *   place than the sink, or what the sink throws
   */
  ensure(source: SourceState): Promise<void>;
}

/** How long a look at the marker is trusted. What two owners may both send is sent within it. */
const LOOK_EVERY_MS = 60_000;

interface Owned {
  readonly generation: number;
  readonly lookedAt: number;
}

/** What a marker says. */
export interface MarkerText {
  readonly stateId: string;
  readonly epoch: number;
  readonly generation: number;
  /** Random; of the process that wrote it. null where it does not say. */
  readonly writer: string | null;
  /** null where it does not say. */
  readonly rowidSpaces: readonly RowidSpace[] | null;
}

/** What a marker is written from. */
export type MarkedSource = Pick<
  SourceState,
  "node" | "table" | "epoch" | "generation" | "rowidSpaces" | "destination"
>;

export interface OwnershipOptions {
  readonly state: State;
  readonly sink: Sink;
  /** Of the sink, as in `Destination`. */
  readonly place: string;
  readonly clock: Clock;
}

export function createOwnership({ state, sink, place, clock }: OwnershipOptions): Ownership {
  const owned = new Map<number, Owned>();
  /** What was lost once is not taken back by the same process, whichever lane asks. */
  const refusals = new Map<number, UploaderError>();
  /** Tells this process, which may not know whether its last write came about, from a copy of its state. */
  const writer = randomUUID();

  /** Of each source, the look in hand: two lanes that raised the epoch at once would take each other for a copy. */
  const looks = new Map<number, Promise<void>>();

  function ensure(source: SourceState): Promise<void> {
    const inHand = looks.get(source.id);
    const mine = inHand ? inHand.then(() => look(source)) : look(source);
    const ended = mine
      .catch(() => {})
      .then(() => {
        if (looks.get(source.id) === ended) looks.delete(source.id);
      });
    looks.set(source.id, ended);
    return mine;
  }

  async function look(given: SourceState): Promise<void> {
    const source = readSource(state.db, given.node, given.table) ?? given;
    const refusal = refusals.get(source.id);
    if (refusal) throw refusal;
    assertGoesTo(place, source);
    const known = owned.get(source.id);
    const now = clock.now();
    const isFresh = known && now - known.lookedAt < LOOK_EVERY_MS && now >= known.lookedAt;
    if (isFresh && known.generation === source.generation) return;
    const marker = await sink.readMarker(source.destination.buckets.raw, ownerKey(source.node, source.table));
    const found = marker && parseMarker(marker);
    if (known && found?.writer !== writer) throw lost(source, found);
    if (found && (found.stateId !== state.id || found.epoch > source.epoch)) throw lost(source, found);
    owned.set(source.id, await raise(source, marker, now));
  }

  async function raise(source: SourceState, marker: Marker | null, now: number): Promise<Owned> {
    const epoch = source.epoch + 1;
    failpoint("before-intent");
    intendEpoch(state, source, epoch);
    failpoint("after-intent");
    const taken = await writeOwner(sink, { stateId: state.id, writer }, { ...source, epoch }, marker);
    failpoint("after-marker");
    if (!taken.isOurs) {
      const winner = taken.winner && parseMarker(taken.winner);
      const isEarlier = winner?.stateId === state.id && winner.epoch <= source.epoch;
      if (winner?.writer === writer || isEarlier) throw arrivedLate(source);
      // Else the next start would take the winner's epoch for its own, and copies would stop each other in turn.
      intendEpoch(state, source, source.epoch);
      throw lost(source, winner);
    }
    return { generation: source.generation, lookedAt: now };
  }

  /** An earlier write of this state, which was given up without an answer, has come about meanwhile. */
  function arrivedLate({ node, table, destination }: SourceState): UploaderError {
    const path = `${sink.describe(destination.buckets.raw)}/${ownerKey(node, table)}`;
    return new UploaderError({
      code: "SINK_UNAVAILABLE",
      message: `${path} was not written: an earlier write of this uploader, without an answer, has arrived late.`,
      hint: "Nothing is lost: it is tried again. If it lasts, check the network.",
    });
  }

  function lost(source: SourceState, found: MarkerText | null): UploaderError {
    const { node, table } = source;
    const path = `${sink.describe(source.destination.buckets.raw)}/${ownerKey(node, table)}`;
    const who =
      found === null
        ? "its ownership marker has vanished or cannot be read"
        : found.stateId === state.id
          ? `a copy of this state has taken it over (epoch ${found.epoch})`
          : "another state ships it";
    const refusal = new UploaderError({
      code: "OWNED_BY_ANOTHER",
      message: `Table ${table} of node ${node} is not this uploader's to ship: ${who} (${path}).`,
      hint: "If two machines have the same node id, give each its own (`node_id`, NODE_ID, --node-id). If this state folder was lost, restored or copied, stop the other uploader and run `uploader state rebuild`.",
    });
    refusals.set(source.id, refusal);
    return refusal;
  }

  return { ensure };
}

/**
 * Writes the marker of a source in place of the one that was read; null: there was none. The state must have
 * committed the epoch before.
 *
 * @returns whether the marker is ours; it is not where somebody else was faster
 */
export async function writeOwner(
  sink: Sink,
  { stateId, writer }: Pick<MarkerText, "stateId" | "writer">,
  source: MarkedSource,
  replaced: Marker | null,
): Promise<{ readonly isOurs: boolean; readonly winner: Marker | null }> {
  const { node, table, epoch, generation, rowidSpaces } = source;
  const spaces = JSON.parse(formatSpaces(rowidSpaces));
  const text = `${JSON.stringify({ stateId, writer, epoch, generation, rowidSpaces: spaces, node, table })}\n`;
  const bucket = source.destination.buckets.raw;
  const key = ownerKey(node, table);
  const written = await sink.writeMarker(bucket, key, text, replaced?.version ?? null);
  // The texts are not compared: copies of a state that start together intend the same one.
  if (written === null) return { isOurs: false, winner: await sink.readMarker(bucket, key) };
  return { isOurs: true, winner: null };
}

/** The marker's text; null where it is not one of ours. */
export function parseMarker(marker: Marker): MarkerText | null {
  try {
    const { stateId, writer = null, epoch, generation, rowidSpaces } = JSON.parse(marker.text);
    const isOurs = typeof stateId === "string" && Number.isInteger(epoch) && Number.isInteger(generation);
    return isOurs ? { stateId, writer, epoch, generation, rowidSpaces: parseSpaces(rowidSpaces) } : null;
  } catch {
    return null;
  }
}
