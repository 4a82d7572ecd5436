import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Revision } from "../../src/core/types.ts";
import {
  commitExtraction,
  type ExtractionCommit,
  type NewObject,
  type StoredPosition,
} from "../../src/outbox/extractions.ts";
import { openSource, readSource, type SourceState } from "../../src/outbox/sources.ts";
import { createStateFolders, openState, type State } from "../../src/outbox/state.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

export const NOW = Date.parse("2024-06-01T12:00:00Z");

export const DESTINATION = {
  place: "directory /lake",
  buckets: { raw: "b-raw", schematized: "b-sch", aggregated: "b-agg", emergency: "b-eme" },
};

const REVISION: Revision = {
  id: 3,
  type: "raw",
  updatedAt: "2024-06-01T00:00:00.000Z",
  updatedBy: "test",
  reason: null,
  expiresAt: null,
};

/** A state in a folder that goes with the test. */
export function newState(folder = join(temporaryFolder(), "state")): State {
  const state = openState(createStateFolders(folder), NOW);
  onTestFinished(() => state.close());
  return state;
}

export function newSource(state: State, table = "readings"): SourceState {
  return openSource(state, "press-7", table, DESTINATION);
}

export function reread(state: State, source: SourceState): SourceState {
  return readSource(state.db, source.node, source.table) as SourceState;
}

/** The commit of an extraction that follows the source's last one, with one object of one row. */
export function commitOf(source: SourceState, given: Partial<ExtractionCommit> = {}): ExtractionCommit {
  const rowid = (source.cursor ?? 0n) + 1n;
  return {
    source,
    cursor: rowid,
    positions: [position(rowid)],
    footing: `of row ${rowid}`,
    revision: REVISION,
    objects: [objectOf(source)],
    ...given,
  };
}

export function position(rowid: bigint): StoredPosition {
  return { rowid, basis: ["timestamp"], digest: `digest of ${rowid}` };
}

export function objectOf(source: SourceState, given: Partial<NewObject> = {}): NewObject {
  const rowid = (source.cursor ?? 0n) + 1n;
  const file = `${source.id}-${source.generation}-${source.nextSequence}-raw.parquet`;
  return {
    table: source.table,
    generation: source.generation,
    sequence: source.nextSequence,
    route: { type: "raw", rejected: false },
    pipelineType: "raw",
    revisionId: REVISION.id,
    bucket: "b-raw",
    key: `raw/${source.table}/${file}`,
    file,
    rows: 1,
    bytes: 100,
    sha256: "0".repeat(64),
    firstRowid: rowid,
    lastRowid: rowid,
    startedAt: new Date(NOW).toISOString(),
    extractedAt: new Date(NOW).toISOString(),
    ...given,
  };
}

export function writeOutboxFile(state: State, file: string): void {
  writeFileSync(join(state.files.outbox, file), "bytes");
}

/** A source of which two extractions are committed, and their objects wait. */
export function newSourceOfTwo(state: State): SourceState {
  const source = newSource(state);
  for (let extraction = 1; extraction <= 2; extraction++) {
    const current = reread(state, source);
    commitExtraction(state, commitOf(current));
    writeOutboxFile(state, objectOf(current).file);
  }
  return source;
}
