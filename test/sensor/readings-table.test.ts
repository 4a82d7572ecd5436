import { statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, test } from "vitest";
import { openReadingsTable } from "../../sample-sensor/src/readings-table.ts";
import { givenFleet, givenFolder, givenSettings, onlyAnomaly } from "./given-settings.ts";

const NOTHING_READ = onlyAnomaly("missing_data", 30, 1);

test("the table has the columns of the contract, in their order, and an index on timestamp", () => {
  const path = join(givenFolder(), "new", "folder", "sensor.db");
  openReadingsTable(path).close();
  const db = new Database(path);
  const columns = db
    .prepare("SELECT name, type, \"notnull\" FROM pragma_table_info('sensor_readings')")
    .raw()
    .all();
  expect(columns.map((column) => (column as unknown[]).join(" "))).toEqual([
    "id INTEGER 0",
    "timestamp TEXT 1",
    "sensor_id TEXT 1",
    ...["temperature", "humidity", "pressure", "vibration", "voltage"].map((name) => `${name} REAL 0`),
    "status_code INTEGER 0",
    "anomaly_flag INTEGER 0",
    ...["anomaly_type", "firmware_version", "model", "manufacturer", "location"].map((it) => `${it} TEXT 0`),
    "latitude REAL 0",
    "longitude REAL 0",
    "original_timezone TEXT 0",
    "synced INTEGER 0",
    ...["serial_number", "manufacture_date", "deployment_type", "installation_date"].map(
      (it) => `${it} TEXT 0`,
    ),
    "height_meters REAL 0",
    "orientation_degrees REAL 0",
    "instance_id TEXT 0",
    "sensor_type TEXT 0",
  ]);
  const sql = db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'sensor_readings'").pluck().get();
  expect(sql).toContain("id INTEGER PRIMARY KEY AUTOINCREMENT");
  expect(db.prepare("SELECT name FROM pragma_index_info('sensor_readings_timestamp')").pluck().all()).toEqual(
    ["timestamp"],
  );
  expect(db.pragma("journal_mode", { simple: true })).toBe("wal");
  db.close();
});

test("each property of a reading is in its column", () => {
  const path = join(givenFolder(), "sensor.db");
  const table = openReadingsTable(path);
  const readings = [...givenFleet(givenSettings()).take(500), ...givenFleet(NOTHING_READ).take(500)];
  expect(table.insert(readings)).toBe("written");
  table.close();
  const db = new Database(path);
  const rows = db.prepare("SELECT * FROM sensor_readings ORDER BY id").all();
  expect(rows).toEqual(
    readings.map(({ timeMs, identity, values, statusCode, anomalyType }, index) => ({
      id: index + 1,
      timestamp: new Date(timeMs).toISOString(),
      sensor_id: identity.sensorId,
      ...values,
      status_code: statusCode,
      anomaly_flag: anomalyType ? 1 : 0,
      anomaly_type: anomalyType,
      firmware_version: identity.firmwareVersion,
      model: identity.model,
      manufacturer: identity.manufacturer,
      location: identity.location,
      latitude: identity.latitude,
      longitude: identity.longitude,
      original_timezone: identity.timezone,
      synced: 0,
      serial_number: identity.serialNumber,
      manufacture_date: identity.manufactureDate,
      deployment_type: identity.deploymentType,
      installation_date: identity.installationDate,
      height_meters: identity.heightMeters,
      orientation_degrees: identity.orientationDegrees,
      instance_id: identity.instanceId,
      sensor_type: identity.sensorType,
    })),
  );
  const storage = db
    .prepare(
      "SELECT DISTINCT typeof(temperature), typeof(voltage), typeof(anomaly_flag) FROM sensor_readings",
    )
    .raw()
    .all();
  expect(new Set(storage.map(String))).toEqual(new Set(["real,real,integer", "null,null,integer"]));
  const unflagged =
    "SELECT count(*) FROM sensor_readings WHERE temperature IS NULL AND anomaly_flag IS NOT 1";
  expect(db.prepare(unflagged).pluck().get()).toBe(0);
  db.close();
});

test("ids go on after those that were ever given, even when all rows are deleted", () => {
  const path = join(givenFolder(), "sensor.db");
  const readings = givenFleet(givenSettings()).take(10);
  const first = openReadingsTable(path);
  first.insert(readings);
  expect(first.deleteOlderThan(Number(readings[9]?.timeMs) + 1, 4)).toBe(4);
  expect(first.deleteOlderThan(Number(readings[9]?.timeMs) + 1, 100)).toBe(6);
  first.close();
  const second = openReadingsTable(path);
  second.insert(readings);
  second.close();
  const db = new Database(path);
  expect(db.prepare("SELECT min(id), max(id) FROM sensor_readings").raw().get()).toEqual([11, 20]);
  db.close();
});

test("a checkpoint empties the WAL, and says when a reader is in the way", () => {
  const path = join(givenFolder(), "sensor.db");
  const table = openReadingsTable(path);
  table.insert(givenFleet(givenSettings()).take(100));
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
  const reader = new Database(path);
  reader.exec("BEGIN; SELECT * FROM sensor_readings LIMIT 1");
  table.insert(givenFleet(givenSettings()).take(100));
  expect(table.checkpoint()).toBe(false);
  reader.exec("COMMIT");
  reader.close();
  expect(table.checkpoint()).toBe(true);
  expect(statSync(`${path}-wal`).size).toBe(0);
  table.close();
});

test("a write that meets another writer says so and leaves nothing behind", () => {
  const path = join(givenFolder(), "sensor.db");
  const table = openReadingsTable(path);
  const other = new Database(path);
  other.exec("BEGIN IMMEDIATE");
  expect(table.insert(givenFleet(givenSettings()).take(10))).toBe("busy");
  expect(table.deleteOlderThan(Date.now(), 10)).toBe(0);
  other.exec("ROLLBACK");
  expect(other.prepare("SELECT count(*) FROM sensor_readings").pluck().get()).toBe(0);
  expect(table.insert(givenFleet(givenSettings()).take(10))).toBe("written");
  other.close();
  table.close();
});

test("a file that is no database, and a table of other columns, are refused and left as they are", () => {
  const folder = givenFolder();
  const text = join(folder, "notes.txt");
  writeFileSync(text, "not a database, but long enough to have a header of one hundred bytes ".repeat(5));
  expect(() => openReadingsTable(text)).toThrow(expect.objectContaining({ code: "SOURCE_NOT_A_DATABASE" }));

  const path = join(folder, "other.db");
  const db = new Database(path);
  db.exec("CREATE TABLE sensor_readings (id INTEGER PRIMARY KEY, timestamp TEXT, sensor_id TEXT)");
  db.close();
  expect(() => openReadingsTable(path)).toThrow(/lacks the columns temperature, humidity/);

  expect(() => openReadingsTable(join(text, "below.db"))).toThrow(
    expect.objectContaining({ code: "SOURCE_UNREADABLE" }),
  );
});
