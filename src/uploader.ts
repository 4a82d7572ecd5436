import type { Settings } from "./config/settings.ts";
import { openControlWriter } from "./control.ts";
import type { Clock, Sleep } from "./core/clock.ts";
import { UploaderError } from "./core/errors.ts";
import { isInsecure } from "./core/transport.ts";
import { createSink, destinationOf, openSourceFor, takeAlong } from "./destination.ts";
import type { ExtractorOptions } from "./extract.ts";
import { assertLocalFiles } from "./local-files.ts";
import { runLoop } from "./loop.ts";
import type { Logger } from "./observe/logger.ts";
import type { Monitor } from "./observe/monitor.ts";
import type { Progress } from "./observe/progress.ts";
import { takeDrained } from "./outbox/drained.ts";
import { acquireStateLock } from "./outbox/lock.ts";
import { sweepReplacement } from "./outbox/replace-state.ts";
import { lastKnownRevision, readSource } from "./outbox/sources.ts";
import { assertNotLost, createStateFolders, openState } from "./outbox/state.ts";
import { assertNotOlder } from "./outbox/sweep-outbox.ts";
import { createOwnership } from "./ownership.ts";
import { createSourceReader } from "./read.ts";
import { followRevisions } from "./revisions.ts";
import { discoverTables, GIVE_IT_A_ROWID, tablesWithoutRowid } from "./source/discover.ts";
import { describeHazard, type SourceHazard } from "./source/hazards.ts";
import { inspectTable } from "./source/inspect.ts";
import { estimateRows } from "./source/range.ts";
import { openSourceDatabase } from "./source-database.ts";
import type { SpotNotices } from "./spot/notices.ts";
import { noteFile } from "./sqlite/file-identity.ts";
import type { ReadFileSystem } from "./sqlite/file-system.ts";
import { type Connection, openDatabase } from "./sqlite/open.ts";
import type { createExtractionThreads } from "./threads/extraction-threads.ts";
import { warnOfLostState } from "./volume-hazard.ts";

export interface UploaderOptions {
  readonly settings: Settings;
  readonly acceptNewDestination: boolean;
  readonly clock: Clock;
  readonly sleep: Sleep;
  /** From 0 up to 1. */
  readonly random: () => number;
  readonly log: Logger;
  readonly progress: Progress;
  /** Left out: nobody asks. */
  readonly monitor?: Monitor;
  /** Left out: all is done on this thread, as tests with a clock of their own need it. */
  readonly createThreads?: typeof createExtractionThreads;
  /** Left out: the operating system's answer. Tests name file systems that they cannot have. */
  readonly readFileSystem?: ReadFileSystem;
  /** What is known of the end of the machine; left out: nothing. */
  readonly notices?: SpotNotices | undefined;
  /** Ends the run: what is in hand is finished and committed. */
  readonly signal: AbortSignal;
}

/**
 * Runs the uploader until it is told to stop, or, with `once`, until all there is has been delivered.
 *
 * @returns the exit code: 0, or 1 where something is left in the outbox or a source failed
 * @throws {UploaderError} where it cannot start
 */
export async function runUploader(options: UploaderOptions): Promise<0 | 1> {
  const { settings, log, signal } = options;
  assertLocalFiles(settings, log, options.readFileSystem);
  for (let isReopened = false; ; isReopened = true) {
    try {
      const end = await runOnFile(options, isReopened);
      if (end !== "replaced") return end;
    } catch (err) {
      // Whoever puts a database in the place of another may need more than one step for it.
      const isNotReady = err instanceof UploaderError && err.code.startsWith("SOURCE_");
      if (!isReopened || !isNotReady) throw err;
      log.error({ err }, "the new database cannot be used; it is tried again");
      await options.sleep(settings.intervalSeconds * 1000, signal);
      if (signal.aborted) return 1;
    }
  }
}

/** Runs until it is told to stop, or another database file has been put in the place of the one that is open. */
async function runOnFile(options: UploaderOptions, isReopened: boolean): Promise<0 | 1 | "replaced"> {
  const { settings, clock, log } = options;
  const releases: (() => unknown)[] = [];
  const held = <Resource>(resource: Resource, release: (resource: Resource) => unknown): Resource => {
    releases.push(() => release(resource));
    return resource;
  };

  try {
    const sourceFile = noteFile(settings.sqlitePath);
    const tellSlow = (reason: string) => {
      if (!isReopened) log.info(`the C extension is not used, without which all takes longer: ${reason}`);
    };
    const sourceDb = held(openSourceDatabase(settings.sqlitePath, tellSlow), (db) => db.close());
    const tables = discoverTables(sourceDb, settings.tables);
    warnOfHazards(sourceDb, tables, options);

    const files = createStateFolders(settings.stateDir);
    held(acquireStateLock(settings.stateDir, clock.now()), (lock) => lock.release());
    assertNotLost(files);
    const state = held(openState(files, clock.now()), (state) => state.close());
    assertNotOlder(state);
    sweepReplacement(files);
    const drainedAt = takeDrained(state);
    if (drainedAt) log.info(`the run before was drained at ${drainedAt}: it has left nothing`);

    const destination = destinationOf(settings.sink);
    const { acceptNewDestination } = options;
    for (const table of tables)
      openSourceFor(state, settings.nodeId, table, { destination, acceptNewDestination });
    if (acceptNewDestination) takeAlong(state, destination);

    const controlPath = settings.pipelineDbPath ?? settings.sqlitePath;
    const mayCreate = settings.pipelineDbPath !== null;
    const control = held(openControlWriter({ path: controlPath, mayCreate, state, clock, log }), (control) =>
      control.close(),
    );
    const controlDb = settings.pipelineDbPath
      ? held(openDatabase(settings.pipelineDbPath, { mode: "read" }), (db) => db.close())
      : sourceDb;
    const lastKnown = lastKnownRevision(state.db, settings.nodeId);
    const revisions = followRevisions(controlDb, lastKnown, { clock, log });

    const sink = held(await createSink(settings.sink), (sink) => sink.close());
    const ownership = createOwnership({ state, sink, place: destination.place, clock });
    const tellHazard = (table: string, hazard: SourceHazard) =>
      log.error({ node: settings.nodeId, table }, describeHazard(hazard));
    const threadData = {
      sqlitePath: settings.sqlitePath,
      sourceFileId: sourceFile.id,
      pipelineDbPath: settings.pipelineDbPath,
      timestampColumn: settings.timestampColumn,
      queries: settings.queries,
      lastKnownRevision: lastKnown,
    };
    const threads = options.createThreads
      ? held(
          options.createThreads(threadData, ({ table, hazard }) => tellHazard(table, hazard)),
          (threads) => threads.close(),
        )
      : undefined;
    const extractors = tables.map(
      (table): ExtractorOptions => ({
        state,
        reader: createSourceReader({
          db: sourceDb,
          table,
          timestampColumn: settings.timestampColumn,
          settings: settings.queries,
          readRevision: () => revisions.read(),
          now: () => clock.now(),
          onHazard: (hazard) => tellHazard(table, hazard),
        }),
        threads,
        node: settings.nodeId,
        table,
        destination,
        compression: settings.compression,
        maxRows: settings.maxBatchRows,
        clock,
      }),
    );
    const estimateBacklog = () => {
      const cursorOf = (table: string) => readSource(state.db, settings.nodeId, table)?.cursor ?? null;
      const rows = new Map<string, number>();
      for (const table of tables)
        try {
          rows.set(table, estimateRows(sourceDb, inspectTable(sourceDb, table, settings), cursorOf(table)));
        } catch {
          // For a progress bar and metrics alone; a cycle says what is the matter.
        }
      return rows;
    };
    return await runLoop(options, {
      sourceFile,
      state,
      control,
      revisions,
      ownership,
      sink,
      extractors,
      threads,
      estimateBacklog,
    });
  } finally {
    for (const release of releases.reverse()) await release();
  }
}

/** What is allowed, but not as safe as it could be. */
function warnOfHazards(db: Connection, tables: readonly string[], { settings, log }: UploaderOptions): void {
  warnOfLostState(settings.stateDir, log);
  const journalMode = db.pragma("journal_mode", { simple: true });
  if (journalMode !== "wal")
    log.warn(
      `${settings.sqlitePath} is in journal mode ${journalMode}: the uploader's reads and the sensor's writes wait for each other; in WAL mode (PRAGMA journal_mode = WAL) they do not`,
    );
  if (settings.sink.kind === "s3" && settings.sink.endpoint && isInsecure(new URL(settings.sink.endpoint)))
    log.warn("the endpoint is on another machine and has no TLS: rows can be read on the way");
  if (settings.sink.kind === "s3" && !settings.sink.conditionalWrites)
    log.warn(
      "conditional writes are off: each put is preceded by a look instead, so two uploaders with one node id could overwrite each other's objects",
    );
  if (!Array.isArray(settings.tables))
    for (const table of tablesWithoutRowid(db))
      log.warn(
        { table },
        `the table is not shipped, because it is WITHOUT ROWID and has no rowid to follow; to ship it, ${GIVE_IT_A_ROWID}`,
      );
  for (const table of tables) {
    const { rowidIsDeclared, timestampColumn } = inspectTable(db, table, settings);
    if (!rowidIsDeclared)
      log.warn(
        { table },
        "the table declares no INTEGER PRIMARY KEY, so VACUUM renumbers its rows: once rows were deleted from it, all of it is shipped again after a VACUUM",
      );
    if (timestampColumn === null)
      log.warn(
        { table },
        "no timestamp column was found: a table that is replaced is then told from the old one by its key alone, or not at all; name the column with `timestamp_col` if there is one",
      );
  }
}
