import { expect } from "vitest";
import { rowsOf } from "../support/invariants.ts";
import type { Incarnation } from "../support/lake-contents.ts";
import { readRows } from "../support/lake-reader.ts";
import type { ReadingsDatabase } from "../support/readings.ts";
import type { LogLine } from "../support/run-in-process.ts";
import { type CheckedRun, openSite, type Site, type Tally } from "./campaign.ts";

/** Columns of a table of the sensor, whatever its key. */
export const VALUES =
  "timestamp TEXT, sensor_id TEXT, location TEXT, temperature REAL, anomaly_flag INTEGER, synced INTEGER DEFAULT 0";
export const WITH_AUTOINCREMENT = `id INTEGER PRIMARY KEY AUTOINCREMENT, ${VALUES}`;
export const WITHOUT_AUTOINCREMENT = `id INTEGER PRIMARY KEY, ${VALUES}`;

/** Those that rows are told apart by; others may come and go. */
export const COLUMNS = ["timestamp", "sensor_id", "temperature", "anomaly_flag"];

/** Where the timestamp itself changes. */
export const WITHOUT_TIMESTAMP = COLUMNS.filter((name) => name !== "timestamp");

/** Makes the table anew as another one, with its rows; as SQLite's documentation has it, since ALTER TABLE cannot. */
const retype = (ddl: string, rows = "*") => `BEGIN IMMEDIATE; CREATE TABLE retyped (${ddl});
  INSERT INTO retyped SELECT ${rows} FROM readings; DROP TABLE readings; ALTER TABLE retyped RENAME TO readings; COMMIT`;

/** Changes of the schema, and how the column is called then; null: it is gone. */
export const SCHEMA_CHANGES: Readonly<
  Record<
    string,
    {
      readonly sql: string;
      readonly column: string | null;
      /** Those that the rows are told apart by; left out: `COLUMNS`. */
      readonly columns?: readonly string[];
    }
  >
> = {
  "a column is added": {
    sql: "ALTER TABLE readings ADD COLUMN humidity REAL DEFAULT 40.5",
    column: "humidity",
  },
  "a column is dropped": { sql: "ALTER TABLE readings DROP COLUMN location", column: null },
  "a column is renamed": { sql: "ALTER TABLE readings RENAME COLUMN location TO place", column: "place" },
  "a column is retyped": {
    sql: retype(WITH_AUTOINCREMENT.replace("location TEXT", "location REAL")),
    column: "location",
  },
  "the timestamp column is dropped": {
    sql: "ALTER TABLE readings DROP COLUMN timestamp",
    column: "location",
    columns: WITHOUT_TIMESTAMP,
  },
  "the timestamp column is renamed, so that it is found no more": {
    sql: "ALTER TABLE readings RENAME COLUMN timestamp TO moment",
    column: "location",
    columns: WITHOUT_TIMESTAMP,
  },
  "the timestamp column is dropped, and another one taken for it": {
    sql: "ALTER TABLE readings DROP COLUMN timestamp; ALTER TABLE readings ADD COLUMN changed_at DATETIME",
    column: "location",
    columns: WITHOUT_TIMESTAMP,
  },
  "the timestamp column is retyped, and its values with it": {
    sql: retype(
      WITH_AUTOINCREMENT.replace("timestamp TEXT", "timestamp INTEGER"),
      "id, strftime('%s', timestamp), sensor_id, location, temperature, anomaly_flag, synced",
    ),
    column: "location",
    columns: WITHOUT_TIMESTAMP,
  },
};

/** Objects are small, so that the state remembers many positions. */
export const ROWS_PER_OBJECT = 20;

/** A site whose table the test makes itself, and of which it knows every row as it was. */
export interface SourceSite {
  readonly site: Site;
  readonly db: ReadingsDatabase;
  /** The name under which SQL finds the rowid. */
  readonly rowid: string;
  /** Appends rows, none of which was ever there before. */
  insert(count: number, into?: ReadingsDatabase): void;
  /** Appends rows that have one timestamp, and nothing else in common. */
  insertAtOnce(count: number): void;
  /** Appends rows that have everything in common. */
  insertAlike(count: number): void;
  /** The rows as they are, as a version of the source for the checker. */
  rows(from?: ReadingsDatabase): Incarnation["rows"];
  /** Runs once; gives back the lines of the log. */
  ship(): Promise<LogLine[]>;
  /** Asserts I1 to I10; every row of every incarnation has to be there. */
  check(incarnations: readonly Incarnation[], options?: CheckedRun): Promise<void>;
}

export async function openSource(
  ddl: string,
  tally: Tally,
  columns: readonly string[] = COLUMNS,
): Promise<SourceSite> {
  const site = await openSite();
  const { db } = site;
  db.exec(`DROP TABLE readings; CREATE TABLE readings (${ddl})`);
  const rowid = /\bid INTEGER PRIMARY KEY\b(?! DESC)/.test(ddl) ? "id" : "rowid";
  let written = 0;

  function insert(count: number, into: ReadingsDatabase, timestampOf: (row: number) => string, row?: number) {
    const hasTimestamp = into
      .prepare("SELECT 1 FROM pragma_table_info('readings') WHERE name = 'timestamp'")
      .get();
    const statement = into.prepare(
      `INSERT INTO readings (${hasTimestamp ? "timestamp" : "location"}, sensor_id, temperature, anomaly_flag)
       VALUES (?, ?, ?, 0)`,
    );
    into.transaction(() => {
      for (let inserted = 0; inserted < count; inserted++) {
        const number = row ?? ++written;
        statement.run(timestampOf(number), `sensor-${number}`, number / 8);
      }
    })();
  }

  return {
    site,
    db,
    rowid,
    insert: (count, into = db) =>
      insert(count, into, (row) => new Date(Date.UTC(2026, 0, 1) + row * 250).toISOString()),
    insertAtOnce: (count) => insert(count, db, () => "2026-01-01T00:00:00.000Z"),
    insertAlike: (count) => insert(count, db, () => "2026-01-01T00:00:00.000Z", 0),
    rows: (from = db) => rowsOf(from, "readings", rowid, columns),
    async ship() {
      const { code, printed } = await site.ship({ "max-batch-size": ROWS_PER_OBJECT });
      await site.observer.look();
      expect(code, printed).toBe(0);
      return linesOf(printed);
    },
    async check(incarnations, options) {
      const table = { name: "readings", rowidName: rowid, columns, incarnations };
      const findings = await site.check([table], options);
      expect(findings.rows).toBeGreaterThan(0);
      tally.add(findings);
    },
  };
}

/** Those that a change of the schema adds, takes away or names anew. */
const CHANGING = ["location", "place", "humidity"] as const;

/** What a row has in the columns that change, as the source holds it now, by rowid. */
export function changingColumns(db: ReadingsDatabase): Map<number, Record<string, unknown>> {
  const rows = db.prepare("SELECT * FROM readings").all() as Record<string, unknown>[];
  return new Map(rows.map((row) => [Number(row.id), changingOf(row)]));
}

/** Asserts that the rows up to `through` have what they had before a change of the schema, the others what they have now. */
export async function expectChangingColumns(
  { db, site }: SourceSite,
  before: ReadonlyMap<number, unknown>,
  through: number,
): Promise<void> {
  const now = changingColumns(db);
  const shipped = (await readRows(site.place.objects())).map((row) => [Number(row._rowid), changingOf(row)]);
  const expected = [...now.keys()].map((rowid) => [rowid, (rowid <= through ? before : now).get(rowid)]);
  expect(shipped).toEqual(expected);
}

function changingOf(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(CHANGING.filter((name) => name in row).map((name) => [name, row[name]]));
}

export function linesOf(printed: string): LogLine[] {
  return printed
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

/** Which generations have begun, and behind which row. */
export function generationsIn(lines: readonly LogLine[]) {
  return lines
    .filter(({ msg }) => msg.includes("was replaced ("))
    .map(({ generation, resumeAfter }) => ({ generation, resumeAfter }));
}

/** One table over time: rows that were there once, as they were first. */
export function everSeen(...versions: readonly Incarnation["rows"][]): Incarnation["rows"] {
  const seen = new Map<bigint, string[][]>();
  for (const version of versions)
    for (const [rowid, values] of version) if (!seen.has(rowid)) seen.set(rowid, values as string[][]);
  return seen;
}
