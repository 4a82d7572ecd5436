import { spawnSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { MAX_ROW_BYTES } from "../../src/encode/row-limit.ts";
import { setPipelineType } from "../../src/pipeline/set-type.ts";
import { quoteName } from "../../src/sqlite/names.ts";
import { duckdb, listObjects, readRows } from "../support/lake-reader.ts";
import { openForTest, type ReadingsDatabase } from "../support/readings.ts";
import { type LogLine, uploadOnce } from "../support/run-in-process.ts";
import { suiteWith } from "../support/suite-with.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { until } from "../support/until.ts";
import { startProgram } from "../support/uploader-process.ts";

const TYPES = ["raw", "schematized", "aggregated", "emergency"] as const;

/** Names that mean something to SQL, to shells, to paths, to Parquet or to JavaScript. */
const NAMES = [
  'a "quoted" name',
  "it's; DROP TABLE readings; --",
  "]); DELETE FROM sqlite_schema; /*",
  "../../etc/passwd",
  "..",
  "a/b\\c",
  "C:\\temp",
  "😀 räderwerk",
  "select",
  "order by",
  "@first",
  ":last",
  "?1",
  "$p1",
  "__proto__",
  "constructor",
  "ingest_date=2020-01-01",
  "_hidden",
  "line\nbreak\tand tab",
  "%2e%2e%2f",
  "x".repeat(300),
  "main.readings",
];

describe("names from strangers", () => {
  test.each(TYPES)("of tables: each is shipped as %s, below the lake and nowhere else", async (type) => {
    const { folder, db } = openStrange();
    for (const name of NAMES) {
      db.exec(
        `CREATE TABLE ${quoteName(name)} (id INTEGER PRIMARY KEY, timestamp TEXT, anomaly_flag INTEGER)`,
      );
      db.exec(
        `INSERT INTO ${quoteName(name)} (timestamp, anomaly_flag) VALUES ('2026-01-01T00:00:00Z', 1), ('x', 0)`,
      );
    }
    const schema = () =>
      db
        .prepare(
          "SELECT name, sql FROM sqlite_schema WHERE name NOT LIKE 'pipeline%' AND name NOT LIKE 'sqlite%'",
        )
        .all();
    const before = schema();
    setType(db, type);
    expect(await upload(folder, { table: "*" })).toBe(0);
    const objects = listObjects(join(folder, "lake"));
    expect(new Set(objects.map(({ name }) => name.table)).size).toBe(NAMES.length);
    const counted = type === "aggregated" ? "sum(reading_count)" : "count(*)";
    for (const table of new Set(objects.map(({ name }) => name.table))) {
      const paths = objects.filter(({ name }) => name.table === table).map(({ path }) => `'${path}'`);
      const [row] = await duckdb(
        `SELECT ${counted} AS rows FROM read_parquet([${paths}], union_by_name = true, hive_partitioning = false)`,
      );
      expect(Number(row?.rows), table).toBe(2);
    }
    expect(schema()).toEqual(before);
  });

  test.each(TYPES)("of columns: all of a table's 200 are there once, as %s", async (type) => {
    const { folder, db } = openStrange();
    const names = [
      ...NAMES,
      ...[
        "Value",
        "värde",
        "VÄRDE",
        "ſ",
        "ıd",
        "_rowid",
        "_ROWID_",
        "_Rescued",
        "_generation",
        "window_start",
      ],
    ];
    while (names.length < 200) names.push(`column ${names.length}`);
    db.exec(
      `CREATE TABLE readings (timestamp TEXT, ${names.map((name) => `${quoteName(name)} REAL`).join(", ")})`,
    );
    db.prepare(
      `INSERT INTO readings VALUES ('2026-01-01T00:00:00Z', ${names.map(() => "?").join(", ")})`,
    ).run(names.map((_, index) => index + 0.5));
    setType(db, type);
    expect(await upload(folder, {}, { emergency: { filter: { [NAMES[0] as string]: { ">": 0 } } } })).toBe(0);
    const rows = await readRows(listObjects(join(folder, "lake")));
    expect(rows).toHaveLength(1);
    const [row = {}] = rows;
    const found = Object.keys(row);
    expect(new Set(found.map((name) => name.toLowerCase())).size).toBe(found.length);
    for (const name of found) expect(name).not.toMatch(/[ ,;{}()\n\t=]/);
    const values = new Set(Object.values(row));
    const suffix = type === "aggregated" ? "_sum" : "";
    expect(found.filter((name) => name.startsWith("column_") && name.endsWith(suffix))).not.toEqual([]);
    for (let index = 0; index < names.length; index++)
      expect(values.has(index + 0.5), names[index]).toBe(true);
  });

  test.each(NAMES.filter((name) => !name.includes("\n") && name.length < 200))(
    "a node called %j stays in its place",
    async (node) => {
      const { folder, db } = openStrange();
      createReadings(db);
      const argv = { "node-id": node };
      expect(await upload(folder, argv)).toBe(0);
      const [object] = listObjects(join(folder, "lake"));
      expect(object?.key.split("/")).toHaveLength(4);
      const [row] = await readRows(listObjects(join(folder, "lake")));
      expect(row?._node_id).toBe(node.trim());
    },
  );
});

describe("SQL in the configuration", () => {
  const ATTACK = "1'; DROP TABLE readings; --";
  const text = fc.oneof(
    fc.constantFrom(ATTACK, '" OR 1=1 --', "anomaly_flag\"; ATTACH 'x' AS y; --", "@first", "') OR ('1'='1"),
    fc.string({ unit: "binary", minLength: 1, maxLength: 20 }),
  );

  test("is data: conditions, schemas and groups of any texts change no row and select no other", async () => {
    await fc.assert(
      fc.asyncProperty(text, text, fc.constantFrom(...TYPES), async (name, value, type) => {
        const { folder, db } = openStrange();
        createReadings(db);
        setType(db, type);
        const before = db.prepare("SELECT * FROM readings").all();
        const configuration = {
          emergency: { filter: { $or: [{ [name]: value }, { sensor_id: { in: [value, name] } }] } },
          schematized: {
            schema: {
              properties: { [name]: { type: "string", enum: [value], pattern: "^\\w" } },
              required: [name],
            },
            enrich: { [`e${name}`]: value },
          },
          aggregated: { group_by: [name, "sensor_id"], metrics: [value] },
        };
        const code = await upload(folder, {}, configuration).catch((error: { code?: string }) => error.code);
        // Names that cannot stand in a configuration are refused as a whole.
        expect([0, 1, "CONFIG_INVALID"]).toContain(code);
        expect(db.prepare("SELECT * FROM readings").all()).toEqual(before);
        if (code !== 0) return;
        const rows = await readRows(listObjects(join(folder, "lake")));
        const counted = rows.map((row) => Number(row.reading_count ?? 1));
        expect(counted.reduce((sum, count) => sum + count, 0)).toBe(3);
      }),
      { numRuns: 40 },
    );
  }, 120_000);
});

describe("a large row", () => {
  const LARGE = 100_000_000;
  const whyTooLarge =
    MAX_ROW_BYTES < LARGE ? `this machine has memory for rows of ${MAX_ROW_BYTES} bytes` : null;

  suiteWith(whyTooLarge, "a row of 100 MB", () => {
    test.each(["text", "blob"] as const)(
      "of 100 MB (%s) is shipped as it is, and the rows around it",
      async (kind) => {
        const { folder, db } = openStrange();
        db.exec(
          `CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, x ${kind.toUpperCase()}, y REAL)`,
        );
        const value =
          kind === "text" ? `replace(hex(zeroblob(${LARGE / 2})), '00', 'ab')` : `zeroblob(${LARGE})`;
        db.exec(`INSERT INTO readings VALUES (1, 'a', 'small', 1), (2, 'b', ${value}, 2), (3, 'c', NULL, 3)`);
        expect(await upload(folder)).toBe(0);
        const objects = listObjects(join(folder, "lake"));
        const paths = objects.map(({ path }) => `'${path}'`).join(", ");
        const rows = await duckdb(
          `SELECT _rowid AS id, y, strlen(x::VARCHAR) AS length, _rescued FROM read_parquet([${paths}]) ORDER BY _rowid`.replace(
            "strlen(x::VARCHAR)",
            kind === "text" ? "strlen(x)" : "octet_length(x)",
          ),
        );
        expect(rows.map(({ id, y, length }) => [id, y, length === null ? null : Number(length)])).toEqual([
          [1n, 1, kind === "text" ? 5 : null],
          [2n, 2, LARGE],
          [3n, 3, null],
        ]);
      },
    );
  });

  test("that cannot be shipped is shipped without its large value, whose size is noted, and said once", async () => {
    const { folder, db } = openStrange();
    db.exec("CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, x TEXT, y REAL)");
    const bytes = MAX_ROW_BYTES + 2;
    db.exec(
      `INSERT INTO readings VALUES (1, 'a', 's', 1), (2, 'b', hex(zeroblob(${bytes / 2})), 2), (3, 'c', 't', 3)`,
    );
    const lines: LogLine[] = [];
    expect(await upload(folder, {}, {}, lines)).toBe(0);
    expect(await shipped(folder)).toEqual([
      [1n, "s", 1, null],
      [2n, null, 2, `{"x":{"omitted":"text","bytes":${bytes}}}`],
      [3n, "t", 3, null],
    ]);
    expect(errorsIn(lines)).toEqual([
      expect.stringMatching(new RegExp(`the value of x in row 2 has ${bytes} bytes, more than is shipped`)),
    ]);
    lines.length = 0;
    expect(await upload(folder, {}, {}, lines)).toBe(0);
    expect(errorsIn(lines)).toEqual([]);
  });

  suiteWith(whyNoPython(), "that V8 cannot hold", () => {
    test.each([
      ["text", 600_000_000, TYPES],
      ["blob", 999_000_000, ["raw"]],
    ] as const)(
      "(a %s of %i bytes) is shipped without that value, the other rows as ever",
      async (kind, bytes, types) => {
        const { folder, db } = openStrange();
        db.exec(
          "CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, x, y REAL, anomaly_flag INTEGER)",
        );
        for (let id = 1; id <= 7; id++)
          db.exec(`INSERT INTO readings VALUES (${id}, '2026-01-01T00:00:0${id}Z', 'small', ${id}, 1)`);
        const value = kind === "text" ? `printf('%.*c', ${bytes}, 'a')` : `zeroblob(${bytes})`;
        python(join(folder, "sensor.db"), `UPDATE readings SET x = ${value} WHERE id = 4`);
        const lines: LogLine[] = [];
        for (const [node, type] of types.entries()) {
          setType(db, type);
          const directory = {
            "node-id": `node-${node}`,
            directory: `lake-${type}`,
            "state-dir": `state-${type}`,
          };
          expect(await upload(folder, directory, { aggregated: { group_by: ["x"] } }, lines), type).toBe(0);
        }
        const note = `{"x":{"omitted":"${kind}","bytes":${bytes}}}`;
        for (const type of types.filter((type) => type !== "aggregated")) {
          const rows = await readRows(listObjects(join(folder, `lake-${type}`)));
          rows.sort((one, other) => Number(one._rowid) - Number(other._rowid));
          expect(rows.map(({ _rowid, x, y, _rescued }) => [_rowid, x, y, _rescued])).toEqual(
            [1, 2, 3, 4, 5, 6, 7].map((id) =>
              id === 4 ? [BigInt(id), null, id, note] : [BigInt(id), "small", id, null],
            ),
          );
        }
        const said = errorsIn(lines).filter((msg) => msg.includes(`has ${bytes} bytes`));
        expect(said).toHaveLength(types.length);
        if (!(types as readonly string[]).includes("aggregated")) return;
        const groups = await readRows(listObjects(join(folder, "lake-aggregated")));
        expect(groups.reduce((sum, { reading_count }) => sum + Number(reading_count), 0)).toBe(7);
      },
      120_000,
    );
  });

  test("and many of them take the memory of a few", async () => {
    const { folder, db } = openStrange();
    db.exec("CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, x BLOB)");
    const insert = db.prepare("INSERT INTO readings (timestamp, x) VALUES ('a', randomblob(20000000))");
    const args = ["--sqlite", "sensor.db", "--directory", "lake", "--table", "readings", "--interval", "0.2"];
    const peaks: number[] = [];
    for (const rows of [4, 16]) {
      while (Number(db.prepare("SELECT count(*) FROM readings").pluck().get()) < rows) insert.run();
      const uploader = startProgram("uploader", args, { cwd: folder });
      const count = () => listObjects(join(folder, "lake")).reduce((sum, { name }) => sum + name.rows, 0);
      await until(`${rows} rows are shipped`, () => count() === rows);
      peaks.push(peakMemoryMb(uploader.process.pid as number));
      uploader.process.kill("SIGTERM");
      expect(await uploader.finished).toMatchObject({ code: 0 });
    }
    // Twelve more rows are 240 MB, of which each is in memory several times.
    expect((peaks[1] as number) - (peaks[0] as number)).toBeLessThan(200);
  });
});

function openStrange(): { readonly folder: string; readonly db: ReadingsDatabase } {
  const folder = temporaryFolder();
  const db = openForTest(join(folder, "sensor.db"));
  db.pragma("journal_mode = WAL");
  return { folder, db };
}

function createReadings(db: ReadingsDatabase): void {
  db.exec(`CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, sensor_id TEXT, value REAL, anomaly_flag INTEGER);
    INSERT INTO readings (timestamp, sensor_id, value, anomaly_flag) VALUES
      ('2026-01-01T00:00:00Z', 's', 1, 1), ('2026-01-01T00:00:00Z', 't', 2, 0), ('2026-01-01T00:00:00Z', 't', 3, NULL)`);
}

function upload(
  folder: string,
  argv: Readonly<Record<string, unknown>> = {},
  configuration: Readonly<Record<string, unknown>> = {},
  lines: LogLine[] = [],
): Promise<0 | 1> {
  const config = join(folder, "given.yaml");
  writeFileSync(config, stringify(configuration));
  return uploadOnce({
    cwd: folder,
    argv: {
      config,
      sqlite: join(folder, "sensor.db"),
      directory: join(folder, "lake"),
      "state-dir": join(folder, "state"),
      table: "readings",
      ...absolute(folder, argv),
    },
    onLog: (line) => lines.push(line),
  });
}

function absolute(folder: string, argv: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const entries = Object.entries(argv).map(([name, value]) =>
    name === "directory" || name === "state-dir" ? [name, join(folder, String(value))] : [name, value],
  );
  return Object.fromEntries(entries);
}

async function shipped(folder: string): Promise<unknown[][]> {
  const rows = await readRows(listObjects(join(folder, "lake")));
  return rows.map(({ _rowid, x, y, _rescued }) => [_rowid, x, y, _rescued]);
}

function errorsIn(lines: readonly LogLine[]): string[] {
  return lines.filter(({ level }) => level >= 50).map(({ msg }) => msg);
}

function setType(db: ReadingsDatabase, type: (typeof TYPES)[number]): void {
  setPipelineType(db, { type, by: "test", now: Date.now() });
}

/** SQLite as Python brings it takes values that better-sqlite3 does not. */
function python(database: string, sql: string): void {
  const program =
    "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute(sys.argv[2]); db.commit()";
  const { status, stderr } = spawnSync("python3", ["-c", program, database, sql], { encoding: "utf8" });
  if (status !== 0) throw new Error(stderr);
}

function whyNoPython(): string | null {
  return spawnSync("python3", ["-c", "import sqlite3"]).status === 0
    ? null
    : "there is no Python with sqlite3";
}

function peakMemoryMb(pid: number): number {
  const [, kilobytes = "0"] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kilobytes) / 1024;
}
