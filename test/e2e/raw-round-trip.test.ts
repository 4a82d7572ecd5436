import { mkdirSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { quoteName } from "../../src/sqlite/names.ts";
import { anyValue, type Stored } from "../query/tables.ts";
import { fuzzRuns } from "../support/fuzz-runs.ts";
import { listObjects, readTable } from "../support/lake-reader.ts";
import { uploadOnce } from "../support/run-in-process.ts";
import { decodeRescued, type LakeCell, readStored, storedInLake } from "../support/stored-values.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const DECLARED_TYPES = [
  ...["INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC", "BOOLEAN", "DATETIME", ""],
  ...["VARCHAR(20)", "DECIMAL(10,2)", "DOUBLE PRECISION", "UNSIGNED BIG INT", "TIMESTAMP", "STRING", "JSON"],
];

const ODD_VALUES: readonly Stored[] = [
  ...["\u{feff}byte order mark", "replaced: \u{fffd}", "\u{10ffff}\u{e000}", "e\u0301", "\0\0", '"\\\u2028'],
  ...["x".repeat(200_000), "é".repeat(70_000), "5", "5.0", "-0", "1e3", "0x10", "NaN", "Infinity", "null"],
  ...[2n, -1n, 0n, 1n, 2n ** 53n - 1n, -(2n ** 53n) - 1n, 2n ** 62n, 10n ** 18n],
  ...[5, 1e15, 1e18, 1e19, -1e300, 5e-324, 2 ** 53, 2 ** 63, -(2 ** 63), 1.5],
  Buffer.alloc(0),
  Buffer.alloc(100_000, 0xfe),
  ...["ff", "c3a9ff", "eda080", "f4908080", "c080", "00d8", "d800", "4100d84200", "3dd800de", "0041"].map(
    (hex) => ({
      bytes: Buffer.from(hex, "hex"),
    }),
  ),
  { bytes: Buffer.from("a\ud800b\udc00", "utf16le") },
  { bytes: Buffer.from("a\ud800", "utf16le") },
];

const value = fc.oneof({ weight: 3, arbitrary: anyValue }, fc.constantFrom(...ODD_VALUES));

const columnName = fc.oneof(
  fc.constantFrom(
    ...[
      "value",
      "a b",
      "a.b",
      "1",
      "",
      "select",
      'quo"te',
      "[x]",
      "tab\tnew\nline",
      "a,b;c{d}(e)=f",
      "%",
      "Ä",
      "ä",
    ],
    ...[
      "rowid",
      "_rowid",
      "_ROWID",
      "oid",
      "_rescued",
      "_node_id",
      "Ingest_Date",
      "_generation",
      "__proto__",
      "ſ",
      "S",
    ],
  ),
  fc.string({ unit: "binary", minLength: 1, maxLength: 6 }).filter((name) => !name.includes("\0")),
);

const rowid = fc.oneof(
  fc.bigInt({ min: 1n, max: 50n }),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.constantFrom(-(2n ** 63n), -(2n ** 63n) + 1n, -1n, 0n, 2n ** 63n - 2n, 2n ** 63n - 1n),
);

const KEYS = {
  declared: { ddl: "id INTEGER PRIMARY KEY", rowidName: "id" },
  autoincrement: { ddl: "id INTEGER PRIMARY KEY AUTOINCREMENT", rowidName: "id" },
  none: { ddl: "id TEXT", rowidName: "_rowid_" },
  alike: { ddl: "id INTEGER PRIMARY KEY DESC", rowidName: "_rowid_" },
} as const;

const table = fc
  .record({
    encoding: fc.constantFrom("UTF-8", "UTF-8", "UTF-16le", "UTF-16be"),
    key: fc.constantFrom(...(Object.keys(KEYS) as (keyof typeof KEYS)[])),
    columns: fc.uniqueArray(fc.tuple(columnName, fc.constantFrom(...DECLARED_TYPES)), {
      selector: ([name]) => foldAscii(name),
      minLength: 1,
      maxLength: 8,
    }),
    rowids: fc.uniqueArray(rowid, { minLength: 1, maxLength: 12 }),
    maxBatchRows: fc.constantFrom(1, 5, 1000),
  })
  .filter(({ columns }) => columns.every(([name]) => foldAscii(name) !== "id"))
  .chain((shape) =>
    fc.record({
      shape: fc.constant(shape),
      rows: fc.tuple(...shape.rowids.map(() => fc.tuple(...shape.columns.map(() => value)))),
    }),
  );

type Table = typeof table extends fc.Arbitrary<infer T> ? T : never;

describe("raw", () => {
  it("gives back whatever is stored in whatever column, its storage class included", async () => {
    const folder = temporaryFolder();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(table, async (given) => {
        const cwd = join(folder, String(run++));
        mkdirSync(cwd);
        const stored = createTable(join(cwd, "sensor.db"), given);
        expect(
          await uploadOnce({
            cwd,
            argv: { sqlite: "sensor.db", directory: "lake", "max-batch-size": given.shape.maxBatchRows },
          }),
        ).toBe(0);
        expect(await readLake(join(cwd, "lake"), given)).toEqual(stored);
      }),
      fuzzRuns(30),
    );
  });
});

function createTable(path: string, { shape, rows }: Table) {
  const db = new Database(path);
  db.pragma(`encoding = '${shape.encoding}'`);
  db.pragma("journal_mode = WAL");
  const { ddl, rowidName } = KEYS[shape.key];
  const columns = shape.columns.map(([name, type]) => `${quoteName(name)} ${type}`);
  db.exec(`CREATE TABLE readings (${[ddl, ...columns].join(", ")})`);
  const names = shape.columns.map(([name]) => name);
  for (const [index, row] of rows.entries()) {
    const marks = row.map((cell) => (isBytes(cell) ? "CAST(? AS TEXT)" : "?"));
    const cells = row.map((cell) => (isBytes(cell) ? cell.bytes : cell));
    db.prepare(
      `INSERT INTO readings (${[rowidName, ...names].map(quoteName).join(", ")}) VALUES (?, ${marks.join(", ")})`,
    ).run(shape.rowids[index], ...cells);
  }
  const stored = readStored(db, "readings", rowidName, ["id", ...names]);
  db.close();
  return stored;
}

/** The rows in the lake by their rowids, in the form of `readStored`. */
async function readLake(lake: string, { shape }: Table) {
  const names = ["id", ...shape.columns.map(([name]) => name)];
  const affinities = [
    "integer",
    ...shape.columns.map(([, type]) => affinity(type)),
  ] as LakeCell["affinity"][];
  const encoding = ({ "UTF-8": "utf8", "UTF-16le": "utf16le", "UTF-16be": "utf16be" } as const)[
    shape.encoding
  ];
  const { columns, rows } = await readTable(listObjects(lake));
  const width = names.length;
  expect(columns.slice(width)).toEqual([
    "_rowid",
    "_rescued",
    "_node_id",
    "_generation",
    "_extracted_at",
    "filename",
  ]);
  const found = new Map<unknown, string[]>();
  for (const row of rows) {
    const rescued = decodeRescued(row[width + 1] as string | null, encoding);
    const cells = names.map((name, index) =>
      storedInLake({
        value: row[index],
        rescued: rescued.get(name),
        affinity: affinities[index] as LakeCell["affinity"],
        encoding,
      }),
    );
    expect([...rescued.keys()].every((name) => names.includes(name))).toBe(true);
    expect(found.has(row[width])).toBe(false);
    found.set(row[width], cells);
  }
  return new Map([...found].sort(([a], [b]) => ((a as bigint) < (b as bigint) ? -1 : 1)));
}

/** `typeof` of the text '1' once it is stored in a column of the type. */
function affinity(declaredType: string): string {
  const db = new Database(":memory:");
  db.exec(`CREATE TABLE t (x ${declaredType}); INSERT INTO t VALUES ('1')`);
  const type = db.prepare("SELECT typeof(x) FROM t").pluck().get() as string;
  db.close();
  return type;
}

function foldAscii(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}

function isBytes(value: Stored): value is { readonly bytes: Buffer } {
  return typeof value === "object" && value !== null && !Buffer.isBuffer(value);
}
