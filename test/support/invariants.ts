import Database from "better-sqlite3";
import { safeName } from "../../src/core/names.ts";
import { quoteName } from "../../src/sqlite/names.ts";
import { describeControlTables } from "./control-tables.ts";
import { deliveredAsLogged, deliveredAsRecorded, figuresOf } from "./delivered-as-recorded.ts";
import { type AggregatedColumns, compareContents, type Incarnation, type Twice } from "./lake-contents.ts";
import { type LakePlace, nameOf } from "./lake-place.ts";
import type { LakeObject } from "./lake-reader.ts";
import { sequencesOf } from "./lake-sequences.ts";
import type { Observer } from "./observer.ts";
import { readableObjects } from "./readable-objects.ts";
import { READING_COLUMNS } from "./readings.ts";
import { secretsIn } from "./secrets-in.ts";
import { describeSource, type SourceNote } from "./source-note.ts";
import { describeState, leftInState, readSourceState, waitingObjects } from "./state-reader.ts";
import { affinityOf, readStored } from "./stored-values.ts";

/** A source as the checker compares it; left out: what test/support/readings.ts makes. */
export interface CheckedTable {
  readonly name: string;
  readonly rowidName?: string;
  /** Those that nobody changes once a row was read. */
  readonly columns?: readonly string[];
  readonly timestampColumn?: string;
  readonly aggregated?: AggregatedColumns;
  /** The rows as they stood when they were read; left out: the source as it is, with no row changed or gone. */
  readonly incarnations?: readonly Incarnation[];
  /** Rows that come twice because two states shipped them; left out: none. */
  readonly twice?: Twice;
}

export interface CheckOptions {
  readonly database: string;
  readonly stateDir: string;
  readonly place: LakePlace;
  readonly node: string;
  readonly tables: readonly CheckedTable[];
  /** Generations of which a rebuild found objects lost for good, whose rows it sent again. */
  readonly lossyGenerations?: readonly number[];
  readonly observer: Observer;
  /** Where the control tables are; left out: in the source. */
  readonly controlDatabase?: string | undefined;
  /** What the source would be without the uploader (I6), from the log of what its test wrote. */
  readonly source: SourceNote;
  /** Tables whose pages the test has overwritten: they cannot be compared (I6), and a run ends with 1 (I9). */
  readonly damagedTables?: readonly string[] | undefined;
  /** A clean `--once`: the first brings what is left (I7), a further one changes nothing (I9). */
  readonly runOnce: () => Promise<CleanRun>;
  /** All that the uploader has printed. */
  readonly printed: readonly string[];
  /** Credentials, which must be nowhere (I10). */
  readonly secrets: readonly string[];
}

export interface CleanRun {
  readonly code: number | null;
  readonly printed: string;
}

export interface Findings {
  readonly rows: number;
  readonly objects: number;
  /** Each begins with the invariant's number. */
  readonly violations: readonly string[];
}

/**
 * For what the uploader has to refuse: it ends with 1, and lake, state and source are as they were (I6, I9), without a
 * credential anywhere (I10). Of an observer it looks for I4 and I5.
 */
export async function checkRefusal(options: CheckOptions): Promise<Findings & { readonly printed: string }> {
  const { place, stateDir, observer } = options;
  const look = async () => (await describeAll(options)).join();
  const before = await look();
  const run = await options.runOnce();
  await observer.look();
  const after = await look();
  const objects = [...place.objects(), ...waitingObjects(stateDir)];
  const violations = [
    ...(run.code === 0 ? ["I9: it was not refused"] : []),
    ...(after === before ? [] : [`I9: ${before} became ${after}`]),
    ...observer.violations,
    ...describeSource(options),
    ...(await secretsIn(options, [...options.printed, run.printed], objects)),
  ];
  return { rows: 0, objects: place.objects().length, violations, printed: run.printed };
}

/**
 * The one checker of the fault campaign: runs the uploader once more and asserts I1 to I10 of docs/GUARANTEES.md.
 * Nobody may be writing to the source.
 */
export async function checkInvariants(options: CheckOptions): Promise<Findings> {
  const { place, stateDir, observer, damagedTables = [] } = options;
  const violations: string[] = [];
  // One by one: there may be more than a call can have arguments.
  const add = (...found: (readonly string[])[]) => {
    for (const some of found) for (const violation of some) violations.push(violation);
  };
  await observer.look();
  // The first run cleans up, the second changes nothing.
  const printed = [...options.printed];
  for (const isSecond of [false, true]) {
    const before = await describeAll(options);
    const run = await options.runOnce();
    printed.push(run.printed);
    if (run.code !== (damagedTables.length > 0 ? 1 : 0))
      violations.push(`I9: a clean run ended with ${run.code}: ${run.printed}`);
    await observer.look();
    const after = await describeAll(options);
    if (isSecond && after.join() !== before.join()) violations.push(`I9: ${before} became ${after}`);
  }

  const waiting = waitingObjects(stateDir);
  const delivered = place.objects();
  const names = new Set(delivered.map(nameOf));
  const objects = [...delivered, ...waiting.filter((object) => !names.has(nameOf(object)))];
  let rows = 0;
  for (const table of options.tables) {
    const ours = objects.filter(
      ({ name }) => name.table === safeName(table.name) && name.node === safeName(options.node),
    );
    // An object that cannot be read is told below, with its name.
    const contents = await contentsOf(ours, table, options).catch((error: Error) => ({
      rows: 0,
      violations: [`I1: the objects of ${table.name} cannot be compared: ${error.message}`],
    }));
    rows += contents.rows;
    add(
      contents.violations,
      sequencesOf(ours, table.twice, options.lossyGenerations),
      figuresOf(delivered, table, options),
    );
  }
  add(observer.violations);
  add(await deliveredAsRecorded(delivered, options));
  add(deliveredAsLogged(delivered, printed, options));
  add(describeSource(options));
  for (const leftover of await place.leftovers()) violations.push(`I7: ${leftover} is left in the lake`);
  add(leftInState(stateDir, waiting));
  add(await readableObjects(objects));
  add(await secretsIn(options, printed, objects));
  return { rows, objects: objects.length, violations };
}

async function contentsOf(ours: readonly LakeObject[], table: CheckedTable, options: CheckOptions) {
  const columns = table.columns ?? READING_COLUMNS;
  const rowidName = table.rowidName ?? "id";
  const db = new Database(options.database, { readonly: true });
  try {
    type Column = { readonly name: string; readonly type: string };
    const declared = db.pragma(`table_info(${quoteName(table.name)})`) as Column[];
    const memory = new Database(":memory:");
    const affinities = columns.map((column) =>
      affinityOf(memory, declared.find(({ name }) => name === column)?.type ?? ""),
    );
    memory.close();
    const incarnations = table.incarnations ?? [
      { sinceGeneration: 1, rows: rowsOf(db, table.name, rowidName, columns) },
    ];
    return await compareContents(
      ours,
      {
        node: options.node,
        columns,
        affinities,
        timestampColumn: table.timestampColumn ?? "timestamp",
        aggregated: table.aggregated ?? {
          windowSeconds: 60,
          groups: ["sensor_id", "location"],
          metrics: ["temperature"],
          anomalyFlag: "anomaly_flag",
        },
        incarnations,
        twice: table.twice,
      },
      readSourceState(options.stateDir, options.node, table.name)?.upTo ?? null,
    );
  } finally {
    db.close();
  }
}

/** What a further run must not change (I9). */
async function describeAll({
  place,
  stateDir,
  database,
  controlDatabase,
}: Pick<CheckOptions, "place" | "stateDir" | "database" | "controlDatabase">): Promise<string[]> {
  const control = describeControlTables(controlDatabase ?? database);
  return [await describeLake(place), describeState(stateDir), control];
}

async function describeLake(place: LakePlace): Promise<string> {
  return JSON.stringify([...(await place.versions())]);
}

/** The rows of a table as they are, for an incarnation. */
export function rowsOf(
  db: Database.Database,
  table: string,
  rowidName = "id",
  columns: readonly string[] = READING_COLUMNS,
): Map<bigint, string[][]> {
  const stored = readStored(db, table, rowidName, columns);
  return new Map([...stored].map(([rowid, values]) => [rowid, [values]]));
}
