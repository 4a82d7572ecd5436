import type { UploaderError } from "../core/errors.ts";
import type { OutboxObject, PipelineType } from "../core/types.ts";

/** What waits in the outbox. */
export interface OutboxFigures {
  readonly objects: number;
  readonly bytes: number;
  /** When the oldest object was extracted, in milliseconds since the epoch; null where none waits. */
  readonly oldestAt: number | null;
}

/** What can be asked of the uploader while it ships; each answer is read when it is asked for. */
export interface Shipping {
  readonly node: string;
  pipelineType(): PipelineType;
  outbox(): OutboxFigures;
  /** About how many rows of each table are not extracted yet; without tables that cannot be read at the moment. */
  backlog(): ReadonlyMap<string, number>;
  /** Of each table, whether nothing of it is shipped until an operator has acted. */
  stopped(): ReadonlyMap<string, boolean>;
}

export interface ExtractedRows {
  readonly table: string;
  readonly pipelineType: PipelineType;
  /** Source rows. */
  readonly rows: number;
}

/** Hears what the uploader does, for whoever asks after its health and its figures. */
export interface Monitor {
  /** The sources are claimed. Comes again, after `ended`, where another database file was put in the place of the first. */
  started(shipping: Shipping): void;
  extracted(extracted: ExtractedRows): void;
  /** @param failed the tables that could not be extracted in it */
  cycleFinished(failed: readonly string[]): void;
  delivered(object: OutboxObject): void;
  /** A try has failed; there may be others. */
  deliveryFailed(object: OutboxObject, error: UploaderError): void;
  /** The program is about to end: what is in hand is finished, and nothing else begun. */
  stopping(): void;
  /** What `started` was given can no longer be asked. */
  ended(): void;
}

export const noMonitor: Monitor = {
  started() {},
  extracted() {},
  cycleFinished() {},
  delivered() {},
  deliveryFailed() {},
  stopping() {},
  ended() {},
};

/** Tells each of them, in their order. */
export function tellAll(monitors: readonly Monitor[]): Monitor {
  return {
    started: (shipping) => monitors.forEach((monitor) => void monitor.started(shipping)),
    extracted: (extracted) => monitors.forEach((monitor) => void monitor.extracted(extracted)),
    cycleFinished: (failed) => monitors.forEach((monitor) => void monitor.cycleFinished(failed)),
    delivered: (object) => monitors.forEach((monitor) => void monitor.delivered(object)),
    deliveryFailed: (object, error) =>
      monitors.forEach((monitor) => void monitor.deliveryFailed(object, error)),
    stopping: () => monitors.forEach((monitor) => void monitor.stopping()),
    ended: () => monitors.forEach((monitor) => void monitor.ended()),
  };
}
