import type { Settings } from "./config/settings.ts";
import type { Clock } from "./core/clock.ts";
import { UploaderError } from "./core/errors.ts";
import { safeName } from "./core/names.ts";
import { PIPELINE_TYPES } from "./core/types.ts";
import { createSink, destinationOf } from "./destination.ts";
import { assertLocalFiles } from "./local-files.ts";
import type { Logger } from "./observe/logger.ts";
import { acquireStateLock } from "./outbox/lock.ts";
import {
  findRemains,
  openReplacement,
  type RestoredSource,
  type StateRemains,
} from "./outbox/replace-state.ts";
import { createStateFolders } from "./outbox/state.ts";
import type { StateDisk } from "./outbox/state-disk.ts";
import { type MarkerText, writeOwner } from "./ownership.ts";
import { planRebuild, type RebuildPlan } from "./rebuild-plan.ts";
import { findResumePoint, type ResumePoint, type UnprovenRows } from "./rebuild-source.ts";
import { createSurveyor, type Survey, type Surveyor } from "./rebuild-survey.ts";
import type { Sink } from "./sink/sink.ts";
import { discoverTables } from "./source/discover.ts";
import { formatFooting } from "./source/footing.ts";
import { inspectTable } from "./source/inspect.ts";
import { openSourceDatabase } from "./source-database.ts";
import type { ReadFileSystem } from "./sqlite/file-system.ts";
import type { Connection } from "./sqlite/open.ts";
import { discardUnfinished, type UnfinishedPlace } from "./unfinished.ts";

/** What was found of a source, and what a rebuild makes of it. */
export interface RebuildFinding {
  readonly table: string;
  readonly survey: Survey;
  readonly plan: RebuildPlan;
  readonly resume: ResumePoint;
}

export interface RebuildFindings {
  readonly node: string;
  readonly stateDir: string;
  readonly sources: readonly RebuildFinding[];
  readonly remains: StateRemains;
}

export interface RebuildOptions {
  readonly settings: Settings;
  readonly clock: Clock;
  readonly log: Logger;
  /** Left out: the operating system's answer. */
  readonly readFileSystem?: ReadFileSystem;
  /** Left out: the file system. */
  readonly disk?: StateDisk;
  /** What becomes of rows of which nothing tells whether they are delivered; left out or null: they are sent. */
  readonly unproven?: UnprovenRows | null;
  /** Called as keys are listed, with how many of a table there were so far. */
  readonly onListed: (keys: number) => void;
  /** Is told what was found, and says whether to go on; nothing is changed before. */
  readonly confirm: (findings: RebuildFindings) => Promise<boolean>;
}

export interface Rebuilt {
  /** As the new state has them: objects that came in after `confirm` was asked are counted in. */
  readonly sources: readonly RebuildFinding[];
  /** Paths of the former state and outbox. */
  readonly movedAside: readonly string[];
}

/**
 * Restores a state that was lost, damaged, copied or restored from a back-up from what the buckets hold, and
 * takes the sources over: rows that are delivered are not sent again, and all others are.
 *
 * The new state is made beside the old one, with the epochs that it is about to claim; then the markers are
 * written; then the states change places. Wherever it is cut short, either nothing has changed, or a marker
 * names a state that is not in place, so that the uploader refuses to ship until the command was run again.
 *
 * @returns null where `confirm` said no
 * @throws {UploaderError} where the source, the state folder or the buckets cannot be used
 */
export async function rebuildState(options: RebuildOptions): Promise<Rebuilt | null> {
  const { settings, clock } = options;
  assertLocalFiles(settings, options.log, options.readFileSystem);
  const releases: (() => void)[] = [];
  const held = <Resource>(resource: Resource, release: (resource: Resource) => void): Resource => {
    releases.push(() => release(resource));
    return resource;
  };

  try {
    const sourceDb = held(openSourceDatabase(settings.sqlitePath), (db) => db.close());
    const tables = discoverTables(sourceDb, settings.tables);
    const files = createStateFolders(settings.stateDir);
    held(acquireStateLock(settings.stateDir, clock.now()), (lock) => lock.release());
    const sink = held(await createSink(settings.sink), (sink) => sink.close());
    const surveyor = createSurveyor({
      sink,
      node: settings.nodeId,
      buckets: settings.sink.buckets,
      onListed: options.onListed,
    });
    const examine = (known: readonly RebuildFinding[]) =>
      examineSources(tables, { settings, sourceDb, surveyor, unproven: options.unproven ?? "send", known });

    const found = await examine([]);
    const { nodeId: node, stateDir } = settings;
    if (!(await options.confirm({ node, stateDir, sources: found, remains: findRemains(files) })))
      return null;

    const replacement = held(openReplacement(files, clock.now(), options.disk), (replacement) =>
      replacement.close(),
    );
    replacement.write(found.map((finding) => restoredSource(finding, settings)));
    for (const finding of found) await takeOver(sink, replacement.id, finding, settings);
    await discardUnfinished(
      sink,
      found.flatMap(({ table }) => placesOf(table, settings)),
      options.log,
    );
    // What another uploader delivered until it lost the sources counts too.
    const sources = await examine(found);
    replacement.write(sources.map((finding) => restoredSource(finding, settings)));
    return { sources, movedAside: await replacement.install() };
  } finally {
    for (const release of releases.reverse()) release();
  }
}

interface ExamineOptions {
  readonly settings: Settings;
  readonly sourceDb: Connection;
  readonly surveyor: Surveyor;
  readonly unproven: UnprovenRows;
  /** What was found before the sources were taken over, whose markers count. */
  readonly known: readonly RebuildFinding[];
}

async function examineSources(
  tables: readonly string[],
  { settings, sourceDb, surveyor, unproven, known }: ExamineOptions,
): Promise<RebuildFinding[]> {
  const findings: RebuildFinding[] = [];
  for (const table of tables) {
    const before = known.find((finding) => finding.table === table)?.survey;
    const survey = {
      ...(await surveyor.survey(table)),
      ...(before && { marker: before.marker, owner: before.owner }),
    };
    const plan = planRebuild(survey.objects, survey.owner);
    const schema = inspectTable(sourceDb, table, settings);
    const { objects } = survey;
    const resume = await findResumePoint(sourceDb, schema, plan, { objects, surveyor, unproven });
    findings.push({ table, survey, plan, resume });
  }
  return findings;
}

function restoredSource({ table, survey, plan, resume }: RebuildFinding, settings: Settings): RestoredSource {
  return {
    node: settings.nodeId,
    table,
    generation: plan.generation,
    rowidSpaces: resume.rowidSpaces,
    cursor: resume.cursor,
    covered: resume.covered,
    positions: resume.positions,
    footing: formatFooting(resume.footing),
    destination: destinationOf(settings.sink),
    epoch: nextEpoch(survey.owner),
    delivered: {
      objects: survey.objects.length,
      rows: survey.objects.reduce((sum, { name }) => sum + name.rows, 0),
      bytes: survey.objects.reduce((sum, { bytes }) => sum + bytes, 0),
    },
  };
}

async function takeOver(
  sink: Sink,
  stateId: string,
  finding: RebuildFinding,
  settings: Settings,
): Promise<void> {
  const { isOurs } = await writeOwner(
    sink,
    { stateId, writer: null },
    restoredSource(finding, settings),
    finding.survey.marker,
  );
  if (isOurs) return;
  throw new UploaderError({
    code: "OWNED_BY_ANOTHER",
    message: `Table ${finding.table} of node ${settings.nodeId} was taken over by another uploader during the rebuild.`,
    hint: "Stop every other uploader with this node id, then run `uploader state rebuild` again.",
  });
}

/** Where objects of a table may be that the state which is replaced had not delivered. */
function placesOf(table: string, { nodeId, sink }: Settings): UnfinishedPlace[] {
  const routes = PIPELINE_TYPES.flatMap((type) => [false, true].map((rejected) => ({ type, rejected })));
  return routes.map((route) => ({
    bucket: sink.buckets[route.type],
    of: { route, node: safeName(nodeId), table: safeName(table) },
  }));
}

function nextEpoch(owner: MarkerText | null): number {
  return (owner?.epoch ?? 0) + 1;
}
