import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import Database from "better-sqlite3";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { systemSleep } from "../../src/core/clock.ts";
import { type LogLine, uploadOnce } from "../support/run-in-process.ts";
import { suiteFor } from "../support/s3-servers.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { runProgram, startProgram } from "../support/uploader-process.ts";

/** Stands for every secret; no output may hold it. */
const SECRET = "hunter2-hunter2-hunter2";

const CREDENTIALS = {
  AWS_ACCESS_KEY_ID: `AKIA${SECRET}`,
  AWS_SECRET_ACCESS_KEY: SECRET,
  AWS_SESSION_TOKEN: `token-${SECRET}`,
};
const S3 = { AWS_REGION: "us-east-1", S3_BUCKET_PREFIX: "plant", ...CREDENTIALS };

interface Case {
  /** Puts files into the folder that the program runs in. */
  readonly given?: (folder: string) => void;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly exit: 1 | 2;
  /** What is wrong, and what to do, as patterns of the whole output. */
  readonly says: readonly RegExp[];
  /** Whether the database, which may be more than it seems, and its log have to stay as they are, to the byte. */
  readonly isKept?: true;
}

const TO_FOLDER = ["--sqlite", "sensor.db", "--directory", "lake"];

const CASES: Readonly<Record<string, Case>> = {
  "a database that is missing": {
    args: TO_FOLDER,
    exit: 1,
    says: [/There is no database at .*sensor\.db\./, /Start the sensor first, or correct the path/],
  },
  "a folder for a database": {
    args: ["--sqlite", ".", "--directory", "lake"],
    exit: 1,
    says: [/is not a file/, /Point the setting at the database file itself/],
  },
  "a file that is no database": {
    isKept: true,
    given: (folder) =>
      writeFileSync(join(folder, "sensor.db"), "timestamp,value\n2026-01-01,5\n".repeat(100)),
    args: TO_FOLDER,
    exit: 1,
    says: [
      /sensor\.db is not a SQLite database, or it is encrypted/,
      /Point the setting at the database file/,
    ],
  },
  "a file that looks encrypted": {
    isKept: true,
    given: (folder) => writeFileSync(join(folder, "sensor.db"), randomBytes(8192)),
    args: TO_FOLDER,
    exit: 1,
    says: [/sensor\.db is not a SQLite database, or it is encrypted/],
  },
  "a file that looks encrypted, with its log": {
    isKept: true,
    given: (folder) => {
      createDatabase(join(folder, "sensor.db"), ["readings"], 2_000);
      const { database, log } = whileOpen(join(folder, "sensor.db"));
      // Nothing of it can be read, and the log's checksums are right.
      writeFileSync(join(folder, "sensor.db"), randomBytes(database.length));
      writeFileSync(join(folder, "sensor.db-wal"), log);
    },
    args: TO_FOLDER,
    exit: 1,
    says: [/sensor\.db is not a SQLite database, or it is encrypted/],
  },
  "a database that is damaged where the rows are": {
    given: (folder) => {
      const path = join(folder, "sensor.db");
      createDatabase(path, ["readings"], 2_000);
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0xff, 3 * 4096, bytes.length - 4096));
    },
    args: TO_FOLDER,
    exit: 1,
    says: [/sensor\.db is damaged/, /integrity_check/],
  },
  "a database that is damaged where its schema is": {
    isKept: true,
    given: (folder) => {
      const path = join(folder, "sensor.db");
      createDatabase(path, ["readings"], 2_000);
      const bytes = readFileSync(path);
      writeFileSync(path, bytes.fill(0xff, 100, 4096));
    },
    args: TO_FOLDER,
    exit: 1,
    says: [/sensor\.db is damaged/, /integrity_check/],
  },
  "an empty file": {
    isKept: true,
    given: (folder) => writeFileSync(join(folder, "sensor.db"), ""),
    args: TO_FOLDER,
    exit: 1,
    says: [/sensor\.db has no table that can be shipped/, /Start the sensor/],
  },
  "a table that does not exist": {
    given: (folder) => createDatabase(join(folder, "sensor.db"), ["readings", "events"]),
    args: [...TO_FOLDER, "--table", "reading"],
    exit: 1,
    says: [/There is no table reading\./, /Tables there are: events, readings/],
  },
  ...(existsSync("/proc/self") && {
    "a folder for objects where nobody can make one": {
      given: (folder) => createDatabase(join(folder, "sensor.db"), ["readings"], 3),
      args: ["--sqlite", "sensor.db", "--directory", "/proc/no/lake"],
      exit: 1,
      says: [/ENOENT: no such file or directory, mkdir '\/proc\/no'/, /correct `directory`/],
    },
    "a state folder where nobody can make one": {
      given: (folder) => createDatabase(join(folder, "sensor.db"), ["readings"], 3),
      args: [...TO_FOLDER, "--state-dir", "/proc/no/state"],
      exit: 1,
      says: [/The state folder \/proc\/no\/state cannot be used: ENOENT/, /set `state_dir`/],
    },
  }),
  "several candidates": {
    given: (folder) => createDatabase(join(folder, "sensor.db"), ["readings", "events"]),
    args: TO_FOLDER,
    exit: 1,
    says: [
      /several tables that could be shipped: events, readings/,
      /sqlite_table.*SQLITE_TABLE_NAME.*--table.*"\*"/,
    ],
  },
  "a table without a rowid, the only one": {
    given: (folder) => createPairs(join(folder, "sensor.db")),
    args: TO_FOLDER,
    exit: 1,
    says: [/none has a rowid to follow: pairs is a WITHOUT ROWID table/, /make it again without the words/],
  },
  "a table without a rowid, all being wanted": {
    given: (folder) => createPairs(join(folder, "sensor.db")),
    args: [...TO_FOLDER, "--table", "*"],
    exit: 1,
    says: [/none has a rowid to follow: pairs is a WITHOUT ROWID table/, /make it again without the words/],
  },
  "a view for a table": {
    given: (folder) => createDatabase(join(folder, "sensor.db"), ["readings"]),
    args: [...TO_FOLDER, "--table", "latest"],
    exit: 1,
    says: [/latest is a view/, /Ship the table that it is made from/],
  },
  "a timestamp column that does not exist": {
    given: (folder) => createDatabase(join(folder, "sensor.db"), ["readings"]),
    args: [...TO_FOLDER, "--timestamp-col", "when"],
    exit: 1,
    says: [/readings has no column when/, /timestamp_col/, /Its columns are: id, timestamp, value/],
  },
  "a state folder that cannot be written": {
    given: (folder) => {
      createDatabase(join(folder, "sensor.db"), ["readings"]);
      writeFileSync(join(folder, "file"), "");
    },
    args: [...TO_FOLDER, "--state-dir", "file/state"],
    exit: 1,
    says: [/The state folder .*file\/state cannot be used: ENOTDIR/, /state_dir.*STATE_DIR.*--state-dir/],
  },
  "a folder to ship to that cannot be made": {
    given: (folder) => {
      createDatabase(join(folder, "sensor.db"), ["readings"], 1);
      writeFileSync(join(folder, "file"), "");
    },
    args: ["--sqlite", "sensor.db", "--directory", "file/lake"],
    exit: 1,
    says: [/file\/lake/, /ENOTDIR/, /directory/],
  },
  "nothing at all": {
    exit: 2,
    says: [
      /sqlite: is required/,
      /--sqlite/,
      /s3_configuration\.region: is required/,
      /s3_configuration\.prefix: is required/,
    ],
  },
  "a flag that is unknown": {
    args: ["--sqlitee", "sensor.db"],
    exit: 2,
    says: [/sqlitee/, /--help/],
  },
  "a YAML that cannot be read": {
    given: configuration("sqlite: sensor.db\n  directory: [lake\n"),
    exit: 2,
    says: [/configuration file: is not valid: .*databricks-uploader-config\.yaml:1\)/],
  },
  "a configuration that is not there": {
    args: ["--config", "nowhere.yaml"],
    exit: 2,
    says: [/nowhere\.yaml/],
  },
  "keys that are unknown": {
    given: configuration(
      `sqlite: sensor.db\nsqlite_tabel: readings\ns3_configuration: { enabled: false, secret_access_key: ${SECRET} }\n`,
    ),
    exit: 2,
    says: [/sqlite_tabel/, /sqlite_table/, /s3_configuration\.secret_access_key/],
  },
  "values of a wrong type": {
    given: configuration(
      "sqlite: sensor.db\ninterval: often\nmax_batch_size: 2.5\ns3_configuration: { enabled: maybe }\n",
    ),
    env: { OUTBOX_MAX_MB: "much" },
    exit: 2,
    says: [
      /interval: .*number/,
      /max_batch_size: .*whole number/,
      /s3_configuration\.enabled: .*true or false/,
      /outbox_max_mb: .*OUTBOX_MAX_MB/,
    ],
  },
  "an emergency filter that makes no sense": {
    given: configuration(
      "sqlite: sensor.db\ns3_configuration: { enabled: false }\nemergency: { filter: { value: { above: 5 } } }\n",
    ),
    exit: 2,
    says: [/emergency\.filter/, /above/],
  },
};

describe("bad input", () => {
  it.each(Object.entries(CASES))(
    "%s is said, with what to do about it",
    async (_, { given, args = [], env, exit, says, isKept = false }) => {
      const folder = temporaryFolder();
      given?.(folder);
      const before = isKept ? databaseFiles(folder) : null;
      const { code, stdout, stderr } = await runProgram("uploader", ["--once", ...args], {
        cwd: folder,
        env: { HOME: folder, ...CREDENTIALS, ...env },
      });
      const output = stdout + stderr;
      for (const pattern of says) expect(output).toMatch(pattern);
      expect(code).toBe(exit);
      expectNothingButWords(output);
      expect(existsSync(join(folder, "lake", "local-databricks-raw-local", "raw"))).toBe(false);
      if (before) expect(databaseFiles(folder)).toEqual(before);
    },
  );

  it("an empty table is none: nothing is shipped, and all is well", async () => {
    const folder = temporaryFolder();
    createDatabase(join(folder, "sensor.db"), ["readings"]);
    const { code, stdout, stderr } = await runProgram("uploader", ["--once", ...TO_FOLDER], { cwd: folder });
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/"msg":"done"/);
    expect(stdout).not.toMatch(/"level":"(warn|error)"|"msg":"(extracted|delivered)"/);
    expect(existsSync(join(folder, "lake", "local-databricks-raw-local", "raw"))).toBe(false);
  });
});

describe("a table without a rowid beside another", () => {
  it.each([
    [[], 1],
    [["--table", "*"], 1],
    [["--table", "readings"], 0],
  ])("is left out with a warning unless tables are named (%j)", async (args, warnings) => {
    const folder = temporaryFolder();
    createDatabase(join(folder, "sensor.db"), ["readings"]);
    createPairs(join(folder, "sensor.db"));
    const { code, stdout } = await runProgram("uploader", ["--once", ...TO_FOLDER, ...args], { cwd: folder });
    expect(code).toBe(0);
    const warned = stdout.match(/"level":"warn".*"table":"pairs".*not shipped.*WITHOUT ROWID/g) ?? [];
    expect(warned).toHaveLength(warnings);
  });
});

describe("an S3 that cannot be used", () => {
  it("because the endpoint is out of reach is given up by --once after a minute, with what to do", async () => {
    const folder = temporaryFolder();
    createDatabase(join(folder, "sensor.db"), ["readings"], 3);
    // The SDK looks into the environment itself.
    for (const [name, value] of Object.entries(CREDENTIALS)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    let now = Date.parse("2026-01-01");
    const began = now;
    const lines: LogLine[] = [];
    const code = await uploadOnce({
      cwd: folder,
      argv: { sqlite: "sensor.db" },
      env: { ...S3, AWS_ENDPOINT_URL_S3: await closedEndpoint() },
      clock: { now: () => now },
      // Rests between tries pass at once; a lane that has nothing to do waits for its signal.
      sleep: async (milliseconds, signal) => {
        if (milliseconds > 600_000) return systemSleep(milliseconds, signal);
        now += milliseconds;
      },
      onLog: (line) => lines.push(line),
    });
    expect(code).toBe(1);
    expect(now - began).toBeGreaterThanOrEqual(60_000);
    const given = lines.find(({ msg }) => msg.startsWith("given up for now"));
    expect(given).toMatchObject({ level: 50, rows: 3, err: { code: "SINK_UNAVAILABLE" } });
    expect(lines).toContainEqual(
      expect.objectContaining({ objects: 1, rows: 3, msg: expect.stringMatching(/left in the outbox/) }),
    );
  });

  it("because the endpoint is out of reach is said at once, and waited for", async () => {
    const endpoint = await closedEndpoint();
    const { code, output } = await stoppedAtFirstFailure({ ...S3, AWS_ENDPOINT_URL_S3: endpoint });
    expect(code).toBe(0);
    expect(output).toMatch(/SINK_UNAVAILABLE.*ECONNREFUSED.*Check the network, DNS and firewall.*endpoint/);
    expect(output).toMatch(/"level":"warn".*nothing is lost/);
    expect(output).toMatch(/left in the outbox; the next start goes on with it/);
  });

  it("because there are no credentials is said at once, and waited for", async () => {
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, ...rest } = S3;
    const { output } = await stoppedAtFirstFailure({ ...rest, AWS_ENDPOINT_URL_S3: await closedEndpoint() });
    expect(output).toMatch(/SINK_CREDENTIALS.*CredentialsProviderError.*Check AWS_ACCESS_KEY_ID/);
    expect(output).toMatch(/"level":"error".*tried again until the access is granted/);
  });
});

suiteFor("versitygw", "an S3 that refuses", (server) => {
  it("because the bucket is missing is an error with what to do", async () => {
    const folder = temporaryFolder();
    createDatabase(join(folder, "sensor.db"), ["readings"], 3);
    const env = { HOME: folder, S3_BUCKET_PREFIX: "nowhere", ...server().environment };
    const { code, stdout, stderr } = await runProgram("uploader", ["--once", "--sqlite", "sensor.db"], {
      cwd: folder,
      env,
    });
    expect(code).toBe(1);
    expect(stdout).toMatch(/SINK_BUCKET_MISSING.*nowhere-databricks-raw-us-east-1.*NoSuchBucket/);
    expect(stdout).toMatch(/"level":"error".*Create the bucket, or correct/);
    expect(stdout).toMatch(/left in the outbox/);
    expectNothingButWords(stdout + stderr);
    expect(stdout + stderr).not.toContain(server().secretAccessKey);
  });

  it.each([
    ["the key is unknown", () => ({ AWS_ACCESS_KEY_ID: "AKIAUNKNOWN0", AWS_SECRET_ACCESS_KEY: SECRET })],
    [
      "the secret is wrong",
      () => ({ AWS_ACCESS_KEY_ID: server().accessKeyId, AWS_SECRET_ACCESS_KEY: SECRET }),
    ],
  ])("because %s is an error with what to do, and waited for", async (_, credentials) => {
    const { output } = await stoppedAtFirstFailure({
      S3_BUCKET_PREFIX: "plant",
      ...server().environment,
      ...credentials(),
    });
    expect(output).toMatch(/"level":"error".*SINK_CREDENTIALS.*Check AWS_ACCESS_KEY_ID/);
    expect(output).not.toContain("AKIAUNKNOWN0");
  });
});

/** Runs with three rows until the first delivery has failed, then asks for an orderly stop. */
async function stoppedAtFirstFailure(env: Readonly<Record<string, string>>) {
  const folder = temporaryFolder();
  createDatabase(join(folder, "sensor.db"), ["readings"], 3);
  const uploader = startProgram("uploader", ["--once", "--sqlite", "sensor.db"], {
    cwd: folder,
    env: { HOME: folder, AWS_EC2_METADATA_DISABLED: "true", ...env },
  });
  await uploader.untilOutput(/not delivered/);
  uploader.process.kill("SIGTERM");
  const { code, stdout, stderr } = await uploader.finished;
  expect(stderr).toBe("");
  expectNothingButWords(stdout);
  return { code, output: stdout };
}

/** No stack, no secret. */
function expectNothingButWords(output: string): void {
  expect(output).not.toMatch(/^\s+at /m);
  expect(output).not.toMatch(/\\n\s+at |"stack"|node:internal|node_modules|\[object Object\]/);
  expect(output).not.toContain(SECRET);
}

function createDatabase(path: string, tables: readonly string[], rows = 0): void {
  const db = new Database(path);
  db.pragma("journal_mode = WAL");
  for (const table of tables) {
    db.exec(`CREATE TABLE ${table} (id INTEGER PRIMARY KEY, timestamp TEXT, value REAL)`);
    for (let row = 0; row < rows; row++)
      db.exec(`INSERT INTO ${table} (timestamp) VALUES ('2026-01-01T00:00:00Z')`);
  }
  db.exec(`CREATE VIEW latest AS SELECT max(id) FROM ${tables[0]}`);
  db.close();
}

/** The database and its log, with their checksums; SQLite leaves an empty log behind a reader that may not write. */
function databaseFiles(folder: string): string[] {
  return ["sensor.db", "sensor.db-wal"].flatMap((name) => {
    const bytes = existsSync(join(folder, name)) ? readFileSync(join(folder, name)) : Buffer.alloc(0);
    return bytes.length > 0 ? [`${name} ${createHash("sha256").update(bytes).digest("hex")}`] : [];
  });
}

/** A database and its log as they are while somebody writes to them, not to page 1. */
function whileOpen(path: string): { readonly database: Buffer; readonly log: Buffer } {
  const db = new Database(path);
  db.exec("UPDATE readings SET value = 1 WHERE id > 1000");
  const files = { database: readFileSync(path), log: readFileSync(`${path}-wal`) };
  db.close();
  return files;
}

function createPairs(path: string): void {
  const db = new Database(path);
  db.exec("CREATE TABLE pairs (k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO pairs VALUES ('a', 1)");
  db.close();
}

function configuration(yaml: string): (folder: string) => void {
  return (folder) => writeFileSync(join(folder, "databricks-uploader-config.yaml"), yaml);
}

/** A port of this machine that nobody listens on. */
async function closedEndpoint(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}
