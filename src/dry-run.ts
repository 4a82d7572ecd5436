import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Settings } from "./config/settings.ts";
import type { Clock } from "./core/clock.ts";
import type { PipelineType, Route } from "./core/types.ts";
import { resultColumns } from "./encode/read-columns.ts";
import { assertLocalFiles } from "./local-files.ts";
import type { Logger } from "./observe/logger.ts";
import { readCoveredRanges } from "./outbox/covered-ranges.ts";
import { readPositions } from "./outbox/extractions.ts";
import { countWaiting } from "./outbox/objects.ts";
import { readSource } from "./outbox/sources.ts";
import { openStateForReading, stateFiles } from "./outbox/state.ts";
import { createSourceReader, type ReadOutcome } from "./read.ts";
import { followRevisions } from "./revisions.ts";
import { discoverTables } from "./source/discover.ts";
import { parseFooting } from "./source/footing.ts";
import { inspectTable } from "./source/inspect.ts";
import { countRows, countRowsWithin } from "./source/range.ts";
import { openSourceDatabase } from "./source-database.ts";
import { type Connection, openDatabase } from "./sqlite/open.ts";

/** What would be shipped of one source. */
export interface PlannedSource {
  readonly table: string;
  readonly pipelineType: PipelineType;
  /** Rows behind the cursor, a new generation's counted from where it would begin. */
  readonly rows: number;
  readonly routes: readonly PlannedRoute[];
}

/** Rows and bytes are projected from the first rows, which were really encoded. */
export interface PlannedRoute {
  readonly route: Route;
  readonly bucket: string;
  readonly rows: number;
  readonly bytes: number;
}

export interface Plan {
  readonly sources: readonly PlannedSource[];
  readonly waiting: { readonly objects: number; readonly rows: number; readonly bytes: number };
}

const SAMPLE_ROWS = 8_192;

/** Looks at what a run would ship, and changes nothing: no state, no table, no object. */
export async function planRun(settings: Settings, clock: Clock, log: Logger): Promise<Plan> {
  assertLocalFiles(settings, log);
  const sourceDb = openSourceDatabase(settings.sqlitePath);
  const controlDb = settings.pipelineDbPath
    ? openDatabase(settings.pipelineDbPath, { mode: "read" })
    : sourceDb;
  const stateDb = openStateForReading(stateFiles(settings.stateDir));
  const folder = mkdtempSync(join(tmpdir(), "uploader-dry-run-"));
  try {
    const sources: PlannedSource[] = [];
    for (const table of discoverTables(sourceDb, settings.tables))
      sources.push(await planSource(table, { settings, clock, log, sourceDb, controlDb, stateDb, folder }));
    return { sources, waiting: stateDb ? countWaiting(stateDb) : { objects: 0, rows: 0, bytes: 0 } };
  } finally {
    rmSync(folder, { recursive: true, force: true });
    stateDb?.close();
    if (controlDb !== sourceDb) controlDb.close();
    sourceDb.close();
  }
}

interface PlanContext {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  readonly sourceDb: Connection;
  readonly controlDb: Connection;
  readonly stateDb: Connection | null;
  readonly folder: string;
}

async function planSource(table: string, context: PlanContext): Promise<PlannedSource> {
  const { settings, clock, log, sourceDb, controlDb, stateDb, folder } = context;
  const source = stateDb && readSource(stateDb, settings.nodeId, table);
  const revisions = followRevisions(controlDb, source?.revision ?? null, { clock, log });
  const reader = createSourceReader({
    db: sourceDb,
    table,
    timestampColumn: settings.timestampColumn,
    settings: settings.queries,
    readRevision: () => revisions.read(),
    now: () => clock.now(),
  });
  let covered = stateDb && source ? readCoveredRanges(stateDb, source.id) : [];
  const request = {
    hold: null,
    context: null,
    maxRows: SAMPLE_ROWS,
    shipOpenWindows: true,
    cursor: source?.cursor ?? null,
    covered,
    positions: stateDb && source ? readPositions(stateDb, source) : [],
    footing: parseFooting(source?.footing ?? null),
  };
  let outcome = reader.read(request);
  let cursor = request.cursor;
  if (outcome.kind === "replaced") {
    cursor = outcome.resumeAfter;
    covered = [];
    outcome = reader.read({ ...request, cursor, covered, positions: [], footing: null });
  }
  if (outcome.kind !== "rows") return { table, pipelineType: revisions.read().type, rows: 0, routes: [] };
  const schema = inspectTable(sourceDb, table, settings);
  let rows = countRows(sourceDb, schema, cursor);
  for (const range of covered) rows -= countRowsWithin(sourceDb, schema, range);
  const routes = await projectRoutes(outcome, rows / outcome.sourceRows, settings, folder);
  return { table, pipelineType: outcome.context.revision.type, rows, routes };
}

/** Encodes the rows that were read, and multiplies. */
async function projectRoutes(
  { batches, context }: Extract<ReadOutcome, { kind: "rows" }>,
  factor: number,
  { compression, sink }: Settings,
  folder: string,
): Promise<PlannedRoute[]> {
  const { openObjectWriter } = await import("./encode/object-writer.ts");
  const routes: PlannedRoute[] = [];
  for (const [index, batch] of batches.entries()) {
    const query = context.query.routes[index];
    if (!batch || !query) continue;
    const path = join(folder, `${index}.parquet`);
    const columns = resultColumns(query.columns, query.rowwise);
    const writer = await openObjectWriter({ path, columns, compression, footer: {} });
    await writer.append(batch);
    const { rows, bytes } = await writer.close();
    rmSync(path);
    routes.push({
      route: query.route,
      bucket: sink.buckets[query.route.type],
      rows: Math.round(rows * factor),
      bytes: Math.round(bytes * factor),
    });
  }
  return routes;
}
