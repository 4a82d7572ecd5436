import Database from "better-sqlite3";
import { createRandom, type Random } from "../sample-sensor/src/random.ts";

const ROWS_PER_TRANSACTION = 10_000;
const UNTIL_MS = Date.UTC(2025, 5, 1);
const SECOND_MS = 1_000;
const STATES = ["running", "idle", "starting", "stopped", "maintenance"];

/** Makes one column's values. */
type Values = (row: number, random: Random) => string | number | null;

interface GeneratedColumn {
  readonly definition: string;
  readonly value: Values;
}

/** Writes a table of its own database: id, timestamp, sensor_id, then measurements, counters and states. */
export function buildGeneratedTable(path: string, table: string, columnCount: number, rows: number): void {
  const random = createRandom(`bench ${columnCount} ${rows}`);
  const columns = [...leadingColumns(rows), ...measuredColumns(columnCount - 3)];
  const db = new Database(path);
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = OFF");
  db.exec(`CREATE TABLE ${table} (${columns.map(({ definition }) => definition).join(", ")})`);
  const insert = db.prepare(`INSERT INTO ${table} VALUES (${columns.map(() => "?").join(", ")})`);
  const insertFrom = db.transaction((first: number) => {
    for (let row = first; row < Math.min(first + ROWS_PER_TRANSACTION, rows); row++)
      insert.run(columns.map(({ value }) => value(row, random)));
  });
  for (let first = 0; first < rows; first += ROWS_PER_TRANSACTION) insertFrom(first);
  db.pragma("wal_checkpoint(TRUNCATE)");
  db.close();
}

function leadingColumns(rows: number): GeneratedColumn[] {
  return [
    { definition: "id INTEGER PRIMARY KEY AUTOINCREMENT", value: (row) => row + 1 },
    {
      definition: "timestamp TEXT NOT NULL",
      value: (row) => new Date(UNTIL_MS - (rows - row) * SECOND_MS).toISOString(),
    },
    { definition: "sensor_id TEXT NOT NULL", value: (row) => `sensor-${row % 50}` },
  ];
}

/** Of ten columns seven measure, two count and one is a state; one measurement in a hundred is missing. */
function measuredColumns(count: number): GeneratedColumn[] {
  return Array.from({ length: count }, (_, index) => {
    const kind = index % 10;
    if (kind < 7) return { definition: `value_${index} REAL`, value: measured };
    if (kind < 9) return { definition: `count_${index} INTEGER`, value: counted };
    return { definition: `state_${index} TEXT`, value: stated };
  });
}

const measured: Values = (_, random) => (random.uniform() < 0.01 ? null : 20 + 5 * random.normal());
const counted: Values = (_, random) => Math.floor(random.uniform() * 1_000);
const stated: Values = (_, random) => STATES[Math.floor(random.uniform() * STATES.length)] ?? null;
