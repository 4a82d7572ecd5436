import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { stringify } from "yaml";
import { MAX_ROW_BYTES } from "../../src/encode/row-limit.ts";
import { quoteName } from "../../src/sqlite/names.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";
import type { CheckedTable } from "../support/invariants.ts";
import type { AggregatedColumns } from "../support/lake-contents.ts";
import { duckdb, listObjects, readRows } from "../support/lake-reader.ts";
import { createObserver } from "../support/observer.ts";
import type { ReadingsDatabase } from "../support/readings.ts";
import type { LogLine } from "../support/run-in-process.ts";
import { suiteWith } from "../support/suite-with.ts";
import { until } from "../support/until.ts";
import { type Flags, openSite, type Site, tallyScenario } from "./campaign.ts";
import { linesOf } from "./source-site.ts";

const TYPES = ["raw", "schematized", "aggregated", "emergency"] as const;

const tally = tallyScenario("8 input from strangers");

/** Aggregated, as far as windows and counts go. */
const COUNTED: AggregatedColumns = { windowSeconds: 60, groups: [], metrics: [], anomalyFlag: null };
/** What `createReadings` makes. */
const READINGS: CheckedTable = {
  name: "readings",
  columns: ["timestamp", "sensor_id", "value", "anomaly_flag"],
};
/** Their large values are compared by size, by the test itself. */
const LARGE_ROWS: CheckedTable = { name: "readings", columns: ["timestamp", "y"], aggregated: COUNTED };

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
    const site = await openStrange();
    const { folder, db } = site;
    for (const name of NAMES) {
      db.exec(
        `CREATE TABLE ${quoteName(name)} (id INTEGER PRIMARY KEY, timestamp TEXT, anomaly_flag INTEGER)`,
      );
      db.exec(
        `INSERT INTO ${quoteName(name)} (timestamp, anomaly_flag) VALUES ('2026-01-01T00:00:00Z', 1), ('x', 0)`,
      );
    }
    site.setType(type);
    await upload(site, { table: "*" });
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
    const tables = NAMES.map((name) => ({
      name,
      columns: ["timestamp", "anomaly_flag"],
      aggregated: COUNTED,
    }));
    const findings = await site.check(tables, { flags: { table: "*" } });
    expect(findings.rows).toBe(2 * NAMES.length);
    tally.add(findings);
  });

  test.each(TYPES)("of columns: all of a table's 200 are there once, as %s", async (type) => {
    const site = await openStrange();
    const { folder, db } = site;
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
    site.setType(type);
    await upload(site, {}, { emergency: { filter: { [NAMES[0] as string]: { ">": 0 } } } });
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
    // The other columns have other names in the lake, and were compared above.
    tally.add(
      await site.check([
        { name: "readings", rowidName: "rowid", columns: ["timestamp"], aggregated: COUNTED },
      ]),
    );
  });

  test.each(NAMES.filter((name) => !name.includes("\n") && name.length < 200))(
    "a node called %j stays in its place",
    async (node) => {
      const site = await openStrange();
      const { folder, db } = site;
      createReadings(db);
      const flags = { "node-id": node };
      await upload(site, flags);
      const [object] = listObjects(join(folder, "lake"));
      expect(object?.key.split("/")).toHaveLength(4);
      const [row] = await readRows(listObjects(join(folder, "lake")));
      expect(row?._node_id).toBe(node.trim());
      tally.add(await site.check([READINGS], { flags, node: node.trim() }));
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
        const site = await openStrange();
        const { folder, db } = site;
        createReadings(db);
        site.setType(type);
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
        configure(site, configuration);
        const { code, printed } = await site.ship();
        if (code !== 0) {
          // Names that cannot stand in a configuration, or that no column has.
          expect([code, printed]).toEqual([
            expect.toBeOneOf([1, 2]),
            expect.not.stringMatching(/SqliteError|TypeError/),
          ]);
          return tally.add(await site.refuse());
        }
        const rows = await readRows(listObjects(join(folder, "lake")));
        const counted = rows.map((row) => Number(row.reading_count ?? 1));
        expect(counted.reduce((sum, count) => sum + count, 0)).toBe(3);
        const aggregated = { ...COUNTED, groups: name === "sensor_id" ? [] : ["sensor_id"] };
        tally.add(await site.check([{ ...READINGS, aggregated }]));
      }),
      fuzzRuns(40),
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
        const site = await openStrange();
        const { folder, db } = site;
        db.exec(
          `CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, x ${kind.toUpperCase()}, y REAL)`,
        );
        const value =
          kind === "text" ? `replace(hex(zeroblob(${LARGE / 2})), '00', 'ab')` : `zeroblob(${LARGE})`;
        db.exec(`INSERT INTO readings VALUES (1, 'a', 'small', 1), (2, 'b', ${value}, 2), (3, 'c', NULL, 3)`);
        await upload(site);
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
        tally.add(await site.check([LARGE_ROWS]));
      },
    );
  });

  test("that cannot be shipped is shipped without its large value, whose size is noted, and said once", async () => {
    const site = await openStrange();
    const { folder, db } = site;
    db.exec("CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, x TEXT, y REAL)");
    const bytes = MAX_ROW_BYTES + 2;
    db.exec(
      `INSERT INTO readings VALUES (1, 'a', 's', 1), (2, 'b', hex(zeroblob(${bytes / 2})), 2), (3, 'c', 't', 3)`,
    );
    const lines = await upload(site);
    expect(await shipped(folder)).toEqual([
      [1n, "s", 1, null],
      [2n, null, 2, `{"x":{"omitted":"text","bytes":${bytes}}}`],
      [3n, "t", 3, null],
    ]);
    expect(errorsIn(lines)).toEqual([
      expect.stringMatching(new RegExp(`the value of x in row 2 has ${bytes} bytes, more than is shipped`)),
    ]);
    expect(errorsIn(await upload(site))).toEqual([]);
    tally.add(await site.check([LARGE_ROWS]));
  });

  suiteWith(whyNoPython(), "that V8 cannot hold", () => {
    test.each([
      ["text", 600_000_000, TYPES],
      ["blob", 999_000_000, ["raw"]],
    ] as const)(
      "(a %s of %i bytes) is shipped without that value, the other rows as ever",
      async (kind, bytes, types) => {
        const site = await openStrange();
        const { folder, db } = site;
        db.exec(
          "CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, x, y REAL, anomaly_flag INTEGER)",
        );
        for (let id = 1; id <= 7; id++)
          db.exec(`INSERT INTO readings VALUES (${id}, '2026-01-01T00:00:0${id}Z', 'small', ${id}, 1)`);
        const value = kind === "text" ? `printf('%.*c', ${bytes}, 'a')` : `zeroblob(${bytes})`;
        const update = `UPDATE readings SET x = ${value} WHERE id = 4`;
        python(site.database, update);
        site.log.wrote((replayed) => python(replayed.name, update));
        const lines: LogLine[] = [];
        const configuration = { aggregated: { group_by: ["x"] } };
        /** A state for each type, so that each ships the large value. */
        const shipments = types.map((type) => {
          const stateDir = join(folder, type);
          const observer = createObserver({ place: site.place, stateDir });
          return { type, stateDir, observer, flags: { "node-id": type, "state-dir": stateDir } };
        });
        for (const { type, flags } of shipments) {
          site.setType(type);
          lines.push(...(await upload(site, flags, configuration)));
        }
        const objectsOf = (type: string) => site.place.objects().filter(({ name }) => name.node === type);
        const note = `{"x":{"omitted":"${kind}","bytes":${bytes}}}`;
        for (const type of types.filter((type) => type !== "aggregated")) {
          const rows = await readRows(objectsOf(type));
          rows.sort((one, other) => Number(one._rowid) - Number(other._rowid));
          expect(rows.map(({ _rowid, x, y, _rescued }) => [_rowid, x, y, _rescued])).toEqual(
            [1, 2, 3, 4, 5, 6, 7].map((id) =>
              id === 4 ? [BigInt(id), null, id, note] : [BigInt(id), "small", id, null],
            ),
          );
        }
        const said = errorsIn(lines).filter((msg) => msg.includes(`has ${bytes} bytes`));
        expect(said).toHaveLength(types.length);
        if ((types as readonly string[]).includes("aggregated")) {
          const groups = await readRows(objectsOf("aggregated"));
          expect(groups.reduce((sum, { reading_count }) => sum + Number(reading_count), 0)).toBe(7);
        }
        // Rows of the others are as those of the first; each check takes its time with so large a source.
        for (const { type, stateDir, observer, flags } of shipments.filter(({ type }) =>
          /raw|aggregated/.test(type),
        ))
          tally.add(await site.check([LARGE_ROWS], { node: type, stateDir, observer, flags }));
      },
      300_000,
    );
  });

  test("and many of them take the memory of a few", async () => {
    const site = await openStrange();
    const { folder, db } = site;
    db.exec("CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, x BLOB)");
    const insert = db.prepare("INSERT INTO readings (timestamp, x) VALUES ('a', ?)");
    const peaks: number[] = [];
    for (const rows of [4, 16]) {
      while (Number(db.prepare("SELECT count(*) FROM readings").pluck().get()) < rows)
        insert.run(randomBytes(20_000_000));
      const uploader = site.start(["--interval", "0.2"]);
      const count = () => listObjects(join(folder, "lake")).reduce((sum, { name }) => sum + name.rows, 0);
      await until(`${rows} rows are shipped`, () => count() === rows);
      peaks.push(peakMemoryMb(uploader.process.pid as number));
      uploader.process.kill("SIGTERM");
      expect(await uploader.finished).toMatchObject({ code: 0 });
    }
    // Twelve more rows are 240 MB, of which each is in memory several times.
    expect((peaks[1] as number) - (peaks[0] as number)).toBeLessThan(200);
    tally.add(await site.check([{ name: "readings", columns: ["timestamp"] }]));
  });
});

/** A site whose tables the test makes itself. */
async function openStrange(): Promise<Site> {
  const site = await openSite();
  site.db.exec("DROP TABLE readings");
  return site;
}

function createReadings(db: ReadingsDatabase): void {
  db.exec(`CREATE TABLE readings (id INTEGER PRIMARY KEY, timestamp TEXT, sensor_id TEXT, value REAL, anomaly_flag INTEGER);
    INSERT INTO readings (timestamp, sensor_id, value, anomaly_flag) VALUES
      ('2026-01-01T00:00:00Z', 's', 1, 1), ('2026-01-01T00:00:00Z', 't', 2, 0), ('2026-01-01T00:00:00Z', 't', 3, NULL)`);
}

/** For this run and all later ones. */
function configure({ folder }: Site, configuration: Readonly<Record<string, unknown>>): void {
  writeFileSync(join(folder, "databricks-uploader-config.yaml"), stringify(configuration));
}

async function upload(
  site: Site,
  flags: Flags = {},
  configuration: Readonly<Record<string, unknown>> = {},
): Promise<LogLine[]> {
  configure(site, configuration);
  const { code, printed } = await site.ship(flags);
  expect(code, printed).toBe(0);
  return linesOf(printed);
}

async function shipped(folder: string): Promise<unknown[][]> {
  const rows = await readRows(listObjects(join(folder, "lake")));
  return rows.map(({ _rowid, x, y, _rescued }) => [_rowid, x, y, _rescued]);
}

function errorsIn(lines: readonly LogLine[]): string[] {
  return lines.filter(({ level }) => level >= 50).map(({ msg }) => msg);
}

/** SQLite as Python brings it takes values that better-sqlite3 does not. It waits for no disk: the power stays on. */
function python(database: string, sql: string): void {
  const program =
    "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); db.execute('PRAGMA synchronous = OFF'); db.execute(sys.argv[2]); db.commit()";
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
