import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { safeName } from "../../src/core/names.ts";
import { parseObjectKey } from "../../src/core/object-key.ts";
import { quoteName } from "../../src/sqlite/names.ts";
import {
  type AggregatedColumns,
  affinityOf,
  compareContents,
  groupBy,
  type Incarnation,
  pathList,
  type Twice,
} from "./lake-contents.ts";
import { filesBelow, type LakePlace, nameOf, sha256Of } from "./lake-place.ts";
import { duckdb, type LakeObject } from "./lake-reader.ts";
import type { Observer } from "./observer.ts";
import { readWithPyarrow } from "./pyarrow.ts";
import { READING_COLUMNS } from "./readings.ts";
import { compareSources, noteSource, type SourceNote } from "./source-note.ts";
import { readStored } from "./stored-values.ts";

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
  const look = async () => [await describeLake(place), describeState(stateDir)].join();
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
    ...secretsIn(options, [...options.printed, run.printed], objects),
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
  await observer.look();
  // The first run cleans up, the second changes nothing.
  const printed = [...options.printed];
  for (const isSecond of [false, true]) {
    const before = [await describeLake(place), describeState(stateDir)];
    const run = await options.runOnce();
    printed.push(run.printed);
    if (run.code !== (damagedTables.length > 0 ? 1 : 0))
      violations.push(`I9: a clean run ended with ${run.code}: ${run.printed}`);
    await observer.look();
    const after = [await describeLake(place), describeState(stateDir)];
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
    violations.push(
      ...contents.violations,
      ...sequencesOf(ours, table.twice, options.lossyGenerations),
      ...figuresOf(delivered, table, options),
    );
  }
  violations.push(...observer.violations);
  violations.push(...(await deliveredAsRecorded(delivered, options)));
  violations.push(...describeSource(options));
  for (const leftover of await place.leftovers()) violations.push(`I7: ${leftover} is left in the lake`);
  violations.push(...leftInState(stateDir, waiting));
  violations.push(...(await readableObjects(objects)));
  violations.push(...secretsIn(options, printed, objects));
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

/** I2, from names alone. */
function sequencesOf(
  objects: readonly LakeObject[],
  twice: Twice | undefined,
  lossy: readonly number[] = [],
): string[] {
  // Two states gave the same numbers out: then each extraction is whole, but they overlap.
  if (twice?.told === "_extracted_at") {
    const byRange = groupBy(objects, ({ name: { generation, sequence, range } }) =>
      [generation, sequence, range.first, range.last].join(),
    );
    const numbers = new Set(objects.map(({ name: { generation, sequence } }) => `${generation},${sequence}`));
    return byRange.size > numbers.size
      ? [...byRange.values()].flatMap((parts) => partsOf(parts, []))
      : ["I2: two states are said to have given out the same numbers, and no number came twice"];
  }
  const violations: string[] = [];
  for (const [generation, ofOne] of groupBy(objects, ({ name }) => name.generation)) {
    const bySequence = groupBy(ofOne, ({ name }) => name.sequence);
    let last: bigint | null = null;
    for (let sequence = 1; sequence <= Math.max(...bySequence.keys()); sequence++) {
      const parts = (bySequence.get(sequence) ?? []).map(({ name }) => name).sort((a, b) => a.part - b.part);
      const [first] = parts;
      const subject = `I2: extraction ${sequence} of generation ${generation}`;
      if (!first) {
        if (!lossy.includes(generation)) violations.push(`${subject} is missing`);
        continue;
      }
      violations.push(...partsOf(bySequence.get(sequence) ?? [], lossy));
      const ranges = new Set(parts.map(({ range, parts: count }) => `${range.first} ${range.last} ${count}`));
      if (ranges.size > 1) violations.push(`${subject} has parts that disagree: ${[...ranges].join("; ")}`);
      if (last !== null && first.range.first <= last)
        violations.push(`${subject} begins within the one before`);
      if (first.range.last < first.range.first) violations.push(`${subject} ends before it begins`);
      last = first.range.last;
    }
  }
  return violations;
}

/** I2, of one extraction. */
function partsOf(objects: readonly LakeObject[], lossy: readonly number[]): string[] {
  const [first] = objects;
  if (!first) return [];
  const { generation, sequence, parts } = first.name;
  const numbers = objects.map(({ name }) => name.part).sort((a, b) => a - b);
  const isWhole = numbers.join() === Array.from({ length: parts }, (_, index) => index + 1).join();
  return isWhole || lossy.includes(generation)
    ? []
    : [`I2: extraction ${sequence} of generation ${generation} has the parts ${numbers} of ${parts}`];
}

/** I3, from the counters. */
function figuresOf(
  delivered: readonly LakeObject[],
  { name: table, twice }: CheckedTable,
  { stateDir, node }: CheckOptions,
): string[] {
  const state = readSourceState(stateDir, node, table);
  if (!state) return [];
  const ours = delivered.filter(({ name }) => name.table === safeName(table) && name.node === safeName(node));
  const found = [ours.length, ours.reduce((sum, { name }) => sum + name.rows, 0)].join();
  const { objects, rows } = twice?.elsewhere ?? { objects: 0, rows: 0 };
  const recorded = [Number(state.delivered_objects) + objects, Number(state.delivered_rows) + rows].join();
  return found === recorded
    ? []
    : [`I3: the state counts ${recorded} objects and rows of ${table} as delivered, there are ${found}`];
}

/** I3, from what the state was seen to list, from `pipeline_executions`, and from the objects' metadata. */
async function deliveredAsRecorded(
  delivered: readonly LakeObject[],
  { database, controlDatabase, observer, place, stateDir }: CheckOptions,
): Promise<string[]> {
  const violations: string[] = [];
  const found = new Map(delivered.map((object) => [nameOf(object), object]));
  const waiting = new Set(waitingObjects(stateDir).map(nameOf));
  const db = new Database(controlDatabase ?? database, { readonly: true });
  try {
    const has = db
      .prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'pipeline_executions'")
      .pluck()
      .get();
    type Execution = { name: string; status: string; records: number };
    const executions = (
      has === 1
        ? db
            .prepare("SELECT bucket || '/' || object_key AS name, status, records FROM pipeline_executions")
            .all()
        : []
    ) as Execution[];
    for (const { name, status, records } of executions) {
      const isThere = found.get(name);
      if (status === "delivered" && !isThere) violations.push(`I3: ${name} is delivered, but not there`);
      if (isThere && isThere.name.rows !== records) violations.push(`I3: ${name} has not ${records} rows`);
      if (isThere && status !== "delivered" && !waiting.has(name))
        violations.push(`I3: ${name} is ${status}`);
    }
  } finally {
    db.close();
  }
  for (const [name, object] of found) {
    const sha256 = sha256Of(object);
    const bytes = readFileSync(object.path).byteLength;
    const listed = observer.listed.get(name);
    if (listed && (listed.sha256 !== sha256 || listed.bytes !== bytes || listed.rows !== object.name.rows))
      violations.push(`I3: ${name} is not what the state listed`);
    const metadata = await place.metadata(object);
    if (metadata && (metadata.sha256 !== sha256 || metadata.rows !== String(object.name.rows)))
      violations.push(`I3: the metadata of ${name} are ${JSON.stringify(metadata)}`);
  }
  return violations;
}

/** I6 */
function describeSource({ database, source, damagedTables = [] }: CheckOptions): string[] {
  const rows = new Map([...source.rows].filter(([table]) => !damagedTables.includes(table)));
  const violations = compareSources({ ...source, rows }, noteSource(database, undefined, damagedTables));
  if (damagedTables.length > 0) return violations;
  const db = new Database(database, { readonly: true });
  const integrity = db.pragma("integrity_check", { simple: true });
  db.close();
  return integrity === "ok" ? violations : [...violations, `I6: integrity_check: ${integrity}`];
}

const STATE_FILES =
  /^(state\.db(-wal|-shm)?|lock\.(db(-journal)?|json)|outbox|set-aside|outbox\.replaced-.*|state\.db\.replaced-.*)$/;

/** I7 */
function leftInState(stateDir: string, waiting: readonly LakeObject[]): string[] {
  const listed = new Set(waiting.map(({ path }) => path));
  const outbox = join(stateDir, "outbox");
  return [
    ...readdirSync(stateDir).filter((name) => !STATE_FILES.test(name)),
    ...readdirSync(outbox).filter((name) => !listed.has(join(outbox, name))),
  ].map((name) => `I7: ${name} is left in the state folder`);
}

/** I8 */
async function readableObjects(objects: readonly LakeObject[]): Promise<string[]> {
  if (objects.length === 0) return [];
  const violations: string[] = [];
  const counted = await duckdb(
    `SELECT file_name, num_rows FROM parquet_file_metadata(${pathList(objects)})`,
  ).catch((error: Error) => {
    violations.push(`I8: DuckDB: ${error.message}`);
    return [];
  });
  const byPath = new Map(counted.map(({ file_name, num_rows }) => [file_name as string, Number(num_rows)]));
  const read = await readWithPyarrow(objects.map(({ path }) => path));
  for (const [index, { path, key, name }] of objects.entries()) {
    if (byPath.get(path) !== name.rows)
      violations.push(`I8: DuckDB finds ${byPath.get(path)} rows in ${key}`);
    if (read && read[index] !== name.rows) violations.push(`I8: pyarrow finds ${read[index]} in ${key}`);
  }
  return violations;
}

/** I10 */
function secretsIn(
  { database, controlDatabase, place, secrets, stateDir }: CheckOptions,
  printed: readonly string[],
  objects: readonly LakeObject[],
): string[] {
  const places: [string, () => Buffer | string][] = [
    ["what the uploader printed", () => printed.join("\n")],
    ["the control tables", () => controlTables(controlDatabase ?? database)],
    // With the outbox, and what was set aside or replaced.
    ...filesBelow(stateDir).map((name): [string, () => Buffer] => [
      name,
      () => readFileSync(join(stateDir, name)),
    ]),
    ...place.markers().map((path): [string, () => Buffer] => [path, () => readFileSync(path)]),
    ...objects.map(({ key, path }): [string, () => Buffer] => [key, () => readFileSync(path)]),
  ];
  return places.flatMap(([name, contents]) => {
    const found = contents();
    return secrets.filter((secret) => found.includes(secret)).map(() => `I10: a credential is in ${name}`);
  });
}

/** All that the uploader has written into the source's database. */
function controlTables(database: string): string {
  if (!existsSync(database)) return "";
  const db = new Database(database, { readonly: true });
  try {
    const tables = db
      .prepare("SELECT name FROM sqlite_schema WHERE name IN ('pipeline_config', 'pipeline_executions')")
      .pluck()
      .all() as string[];
    return tables
      .flatMap((table) =>
        db
          .prepare(`SELECT * FROM ${quoteName(table)}`)
          .raw()
          .all(),
      )
      .join("\n");
  } finally {
    db.close();
  }
}

async function describeLake(place: LakePlace): Promise<string> {
  return JSON.stringify([...(await place.versions())]);
}

/** All that the state says, but for what each start changes: the epoch. */
function describeState(stateDir: string): string {
  const db = openState(stateDir);
  if (!db) return "no state";
  try {
    const all = (sql: string) =>
      db
        .prepare(sql)
        .all()
        .map((row) => Object.values(row as object).map(String));
    const sources = all(`SELECT node, table_name, generation, cursor, next_sequence, destination,
      delivered_objects, delivered_rows, delivered_bytes FROM sources ORDER BY id`);
    const objects = all("SELECT bucket, object_key, sha256, delivered_at FROM objects ORDER BY id");
    return JSON.stringify([sources, objects, all("SELECT state_id FROM identity")]);
  } finally {
    db.close();
  }
}

export interface SourceFigures {
  readonly cursor: bigint | null;
  /** The cursor, or beyond it the last row that a rebuild has found delivered. */
  readonly upTo: bigint | null;
  readonly delivered_objects: bigint;
  readonly delivered_rows: bigint;
}

/** Figures of a source in the state; undefined before its first run. */
export function readSourceState(stateDir: string, node: string, table: string): SourceFigures | undefined {
  const db = openState(stateDir);
  try {
    return db
      ?.prepare(
        `SELECT *, (SELECT max(x) FROM (SELECT sources.cursor AS x UNION ALL
           SELECT last_rowid FROM covered_ranges WHERE source_id = sources.id)) AS upTo
         FROM sources WHERE node = ? AND table_name = ?`,
      )
      .get(node, table) as SourceFigures | undefined;
  } finally {
    db?.close();
  }
}

/** What the state lists as waiting, as objects that can be read. */
function waitingObjects(stateDir: string): LakeObject[] {
  const db = openState(stateDir);
  try {
    type Row = { bucket: string; object_key: string; file: string };
    const rows = (db
      ?.prepare("SELECT bucket, object_key, file FROM objects WHERE delivered_at IS NULL")
      .all() ?? []) as Row[];
    return rows.map(({ bucket, object_key: key, file }) => {
      const name = parseObjectKey(key);
      if (!name) throw new Error(`no key of ours: ${key}`);
      return { bucket, key, path: join(stateDir, "outbox", file), name };
    });
  } finally {
    db?.close();
  }
}

function openState(stateDir: string): Database.Database | null {
  const path = join(stateDir, "state.db");
  if (!existsSync(path)) return null;
  const db = new Database(path, { readonly: true });
  db.defaultSafeIntegers(true);
  if (db.pragma("user_version", { simple: true }) !== 0n) return db;
  db.close();
  return null;
}
