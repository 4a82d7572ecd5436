// Loaded into the uploader, and into its threads, with --import: plain JavaScript, because that is plain node.
//
// - Calls into SQLite get a frame of their own in the CPU profile, `inSqlite`: the time of native code is
//   otherwise that of whoever calls it.
// - The waiting for fsync, which no CPU profile shows, is added up and appended to BENCH_WAITS when the thread ends.
import { appendFileSync } from "node:fs";
import { open, readlink } from "node:fs/promises";
import { threadId } from "node:worker_threads";
import Database from "better-sqlite3";

const db = new Database(":memory:");
const statement = Object.getPrototypeOf(db.prepare("SELECT 1"));
db.close();

for (const name of ["get", "all", "run"]) {
  const original = statement[name];
  statement[name] = function inSqlite(...parameters) {
    return original.apply(this, parameters);
  };
}
const iterate = statement.iterate;
statement.iterate = function inSqlite(...parameters) {
  const rows = iterate.apply(this, parameters);
  return {
    next: function inSqlite() {
      return rows.next();
    },
    return: () => rows.return(),
    [Symbol.iterator]() {
      return this;
    },
  };
};

const waits = [];
const probe = await open("/dev/null");
const fileHandle = Object.getPrototypeOf(probe);
await probe.close();
const sync = fileHandle.sync;
fileHandle.sync = async function () {
  const path = await readlink(`/proc/self/fd/${this.fd}`);
  const began = performance.now();
  await sync.call(this);
  waits.push({ path, milliseconds: performance.now() - began });
};

process.on("exit", () => {
  if (waits.length > 0) appendFileSync(process.env.BENCH_WAITS, `${JSON.stringify({ threadId, waits })}\n`);
});
